// A pattern of one path segment in which `*` stands for one or more bytes: `*.css`, `v*-beta`, `*`.
// Pure. Texts and patterns are decoded bytes: no escape means anything here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::gate {

class Wildcard {
public:
    // `pieces` are the texts between the stars, so one more than there are stars; all but the
    // first and the last should not be empty, or `**` would mean "two bytes or more".
    explicit Wildcard(std::vector<std::string> pieces);

    // In time linear in `text` for patterns with one star, in `text` times the pattern at most.
    [[nodiscard]] bool matches(std::string_view text) const;

    // A text that both match, no segment `.` or `..`; nothing when there is none.
    [[nodiscard]] static std::optional<std::string> common(const Wildcard& a, const Wildcard& b);

    // Some text that this matches.
    [[nodiscard]] std::string example() const;

private:
    std::vector<std::string> pieces_;
};

}  // namespace rollcall::gate
