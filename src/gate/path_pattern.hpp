// The path of a policy's rule: `/orders/{id}`, `/*.css`, `/public/**`. docs/gate.md has the rules.
// Pure. A pattern is refused with a sentence, for the message about the policy file.
#pragma once

#include "gate/wildcard.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::gate {

inline constexpr std::size_t pattern_bytes_max = 1024;
inline constexpr std::size_t pattern_elements_max = 60;

// A decoded path (target.hpp) in its parts. "/" has no segment and ends in a slash. The views are
// into the path.
struct PathParts {
    std::vector<std::string_view> segments;
    bool slash = false;  // whether it ends in one
};
// Nothing for `*`, which is no path.
[[nodiscard]] std::optional<PathParts> split_path(std::string_view decoded);

// Whether a pattern covers what it names only, or the same path with and without a final slash.
enum class Slash : std::uint8_t { exact, either };

class PathPattern {
public:
    enum class Kind : std::uint8_t { literal, partial, any, many };
    struct Element {
        Kind kind;
        std::string text;    // a literal's decoded text; else as written
        std::string name{};  // of {name}
        std::optional<Wildcard> wildcard{};
    };

    [[nodiscard]] static std::expected<PathPattern, std::string> parse(std::string_view text);

    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] std::span<const Element> elements() const { return elements_; }
    [[nodiscard]] bool ends_in_slash() const { return slash_; }
    [[nodiscard]] bool ends_in_many() const;

    // In time linear in the path times the pattern's elements.
    [[nodiscard]] bool matches(const PathParts& path, Slash slash) const;

    // Which of two is more specific (greater): segment by segment from the left, the first that
    // differ decide: literal > partial > {x} or * > the pattern's end > **. Final slashes do not
    // count. docs/decisions/0014-specificity.md says why.
    [[nodiscard]] std::strong_ordering specificity(const PathPattern& other) const;

    // A decoded path that both cover; nothing when there is none.
    [[nodiscard]] static std::optional<std::string> common(const PathPattern& a, Slash slash_a,
                                                           const PathPattern& b, Slash slash_b);

private:
    friend class PatternPair;
    [[nodiscard]] bool accepts(std::size_t state, bool slash, Slash cover) const;

    std::string text_;
    std::vector<Element> elements_;
    bool slash_ = false;
};

}  // namespace rollcall::gate
