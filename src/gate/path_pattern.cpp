#include "gate/path_pattern.hpp"

#include "base/ascii.hpp"
#include "gate/target.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

// A pattern is an automaton over segments. Its state is the number of elements that are done; an
// element `**` in the middle may be left without a segment, one at the end needs a segment or the
// final slash, and the state behind it takes any more.
namespace rollcall::gate {
namespace {

using Kind = PathPattern::Kind;
using Element = PathPattern::Element;
using States = std::uint64_t;  // a set of them, one bit each
static_assert(pattern_elements_max < 63);

bool is_name(std::string_view name) {
    return !name.empty() && !is_digit(name.front()) &&
           std::ranges::all_of(name, [](char c) { return is_alphanumeric(c) || c == '_'; });
}

// What a literal text of a pattern stands for. `before` keeps it from being a segment `..`, where
// it is only a part of one.
std::expected<std::string, std::string> decode(std::string_view text, std::string_view before) {
    std::string path = "/" + std::string(before);
    for (const char c : text) {
        if (static_cast<std::uint8_t>(c) >= 0x80) {
            path += encoded_path(std::string_view(&c, 1));  // as clients send it
        } else {
            path += c;
        }
    }
    auto canonical = canonical_path(path);
    if (!canonical) {
        return std::unexpected(fmt::format("no request has \"{}\" in its path ({})", text,
                                           to_string(canonical.error())));
    }
    return canonical->decoded.substr(1 + before.size());
}

std::expected<Element, std::string> parse_partial(std::string_view segment) {
    std::vector<std::string> pieces;
    for (std::size_t from = 0; from <= segment.size();) {
        const std::size_t end = std::min(segment.find('*', from), segment.size());
        auto piece = decode(segment.substr(from, end - from), "x");
        if (!piece) return std::unexpected(piece.error());
        pieces.push_back(*std::move(piece));
        from = end + 1;
    }
    return Element{Kind::partial, std::string(segment), "", Wildcard(std::move(pieces))};
}

std::expected<Element, std::string> parse_element(std::string_view segment) {
    if (segment.empty()) return std::unexpected("must not have // in it");
    if (segment == "**") return Element{Kind::many, "**"};
    if (segment.contains("**")) return std::unexpected("must have ** only as a whole segment");
    if (segment.starts_with('{') && segment.ends_with('}')) {
        const std::string_view name = segment.substr(1, segment.size() - 2);
        if (!is_name(name)) {
            return std::unexpected(
                fmt::format("\"{}\" is no name: letters, digits and _, as {{id}}", segment));
        }
        return Element{Kind::any, std::string(segment), std::string(name)};
    }
    if (segment.find_first_of("{}") != std::string_view::npos) {
        return std::unexpected("must have {name} only as a whole segment");
    }
    if (segment == "*") return Element{Kind::any, "*"};
    if (segment.contains('*')) return parse_partial(segment);
    auto literal = decode(segment, "");
    if (!literal) return std::unexpected(literal.error());
    return Element{Kind::literal, *std::move(literal)};
}

bool takes(const Element& element, std::string_view segment) {
    switch (element.kind) {
        case Kind::literal:
            return element.text == segment;
        case Kind::partial:
            return element.wildcard->matches(segment);
        case Kind::any:
        case Kind::many:
            return true;
    }
    return false;
}

// A segment that both take.
std::optional<std::string> common_segment(const Element& a, const Element& b) {
    if (a.kind == Kind::literal) return takes(b, a.text) ? std::optional(a.text) : std::nullopt;
    if (b.kind == Kind::literal) return common_segment(b, a);
    if (a.kind == Kind::partial && b.kind == Kind::partial) {
        return Wildcard::common(*a.wildcard, *b.wildcard);
    }
    if (a.kind == Kind::partial) return a.wildcard->example();
    if (b.kind == Kind::partial) return b.wildcard->example();
    return "x";
}

int rank(std::span<const Element> elements, std::size_t at) {
    if (at == elements.size()) return 1;
    switch (elements[at].kind) {
        case Kind::literal:
            return 4;
        case Kind::partial:
            return 3;
        case Kind::any:
            return 2;
        case Kind::many:
            return 0;
    }
    return 0;
}

}  // namespace

std::optional<PathParts> split_path(std::string_view decoded) {
    if (!decoded.starts_with('/')) return std::nullopt;
    PathParts parts;
    parts.slash = decoded.ends_with('/');
    for (std::size_t from = 1; from < decoded.size();) {
        const std::size_t end = std::min(decoded.find('/', from), decoded.size());
        parts.segments.push_back(decoded.substr(from, end - from));
        from = end + 1;
    }
    return parts;
}

std::expected<PathPattern, std::string> PathPattern::parse(std::string_view text) {
    if (!text.starts_with('/')) return std::unexpected("must start with /");
    if (text.size() > pattern_bytes_max) {
        return std::unexpected(fmt::format("must be at most {} bytes", pattern_bytes_max));
    }
    PathPattern out;
    out.text_ = text;
    out.slash_ = text.ends_with('/');
    for (std::size_t from = 1; from < text.size();) {
        const std::size_t end = std::min(text.find('/', from), text.size());
        auto element = parse_element(text.substr(from, end - from));
        if (!element) return std::unexpected(element.error());
        const bool many = element->kind == Kind::many;
        if (many && !out.elements_.empty() && out.elements_.back().kind == Kind::many) {
            return std::unexpected("must not have /**/**: one ** covers the same");
        }
        const auto named = std::ranges::find(out.elements_, element->name, &Element::name);
        if (!element->name.empty() && named != out.elements_.end()) {
            return std::unexpected(fmt::format("has {{{}}} twice", element->name));
        }
        out.elements_.push_back(*std::move(element));
        if (out.elements_.size() > pattern_elements_max) {
            return std::unexpected(
                fmt::format("must have at most {} segments", pattern_elements_max));
        }
        from = end + 1;
    }
    return out;
}

bool PathPattern::ends_in_many() const {
    return !elements_.empty() && elements_.back().kind == Kind::many;
}

bool PathPattern::accepts(std::size_t state, bool slash, Slash cover) const {
    const bool either = cover == Slash::either;
    if (state == elements_.size()) {
        return either || (ends_in_many() ? slash || !slash_ : slash == slash_);
    }
    return state + 1 == elements_.size() && ends_in_many() && (either || slash);
}

bool PathPattern::matches(const PathParts& path, Slash slash) const {
    const std::size_t size = elements_.size();
    const auto bit = [](std::size_t state) { return States{1} << state; };
    const auto many_inside = [&](std::size_t state) {
        return state + 1 < size && elements_[state].kind == Kind::many;
    };
    const auto enter = [&](std::size_t state) {
        return many_inside(state) ? bit(state) | bit(state + 1) : bit(state);
    };
    States now = enter(0);
    for (const std::string_view segment : path.segments) {
        States next = 0;
        for (States rest = now; rest != 0; rest &= rest - 1) {
            const auto state = static_cast<std::size_t>(std::countr_zero(rest));
            if (state == size) {
                if (ends_in_many()) next |= bit(state);
            } else if (many_inside(state)) {
                next |= enter(state);
            } else if (takes(elements_[state], segment)) {
                next |= enter(state + 1);
            }
        }
        if (next == 0) return false;
        now = next;
    }
    for (States rest = now; rest != 0; rest &= rest - 1) {
        const auto state = static_cast<std::size_t>(std::countr_zero(rest));
        if (accepts(state, path.slash, slash)) return true;
    }
    return false;
}

std::strong_ordering PathPattern::specificity(const PathPattern& other) const {
    for (std::size_t at = 0;; ++at) {
        const auto order = rank(elements_, at) <=> rank(other.elements_, at);
        if (order != 0 || at == elements_.size() || at == other.elements_.size()) return order;
    }
}

// The walk through two patterns' automata at once.
class PatternPair {
public:
    PatternPair(const PathPattern& a, Slash slash_a, const PathPattern& b, Slash slash_b)
        : a_(a),
          b_(b),
          slash_a_(slash_a),
          slash_b_(slash_b),
          width_(b.elements_.size() + 1),
          seen_(2 * (a.elements_.size() + 1) * width_) {}

    std::optional<std::string> common() {
        reach(0, 0, none, "");
        for (std::size_t next = 0; next < visits_.size(); ++next) {
            const Visit here = visits_[next];
            // "/" is the only path without a segment.
            for (const bool slash : {false, true}) {
                if ((here.begun || slash) && a_.accepts(here.a, slash, slash_a_) &&
                    b_.accepts(here.b, slash, slash_b_)) {
                    return spell(next, slash);
                }
            }
            if (skips(a_, here.a)) reach(here.a + 1, here.b, next, "");
            if (skips(b_, here.b)) reach(here.a, here.b + 1, next, "");
            const Element* x = element(a_, here.a);
            const Element* y = element(b_, here.b);
            if (x == nullptr || y == nullptr) continue;
            if (const auto segment = common_segment(*x, *y)) {
                reach(after(a_, here.a), after(b_, here.b), next, "/" + *segment);
            }
        }
        return std::nullopt;
    }

private:
    static constexpr std::size_t none = SIZE_MAX;
    struct Visit {
        std::size_t a, b;
        bool begun;
        std::size_t from;
        std::string text;
    };

    static bool skips(const PathPattern& p, std::size_t state) {
        return state + 1 < p.elements_.size() && p.elements_[state].kind == Kind::many;
    }
    // What the next segment must be in `state`; null where no segment may follow.
    static const Element* element(const PathPattern& p, std::size_t state) {
        if (state < p.elements_.size()) return &p.elements_[state];
        return p.ends_in_many() ? &p.elements_.back() : nullptr;
    }
    static std::size_t after(const PathPattern& p, std::size_t state) {
        return state == p.elements_.size() || skips(p, state) ? state : state + 1;
    }

    void reach(std::size_t a, std::size_t b, std::size_t from, std::string text) {
        const bool begun = !text.empty() || (from != none && visits_[from].begun);
        const std::size_t state = (a * width_ + b) * 2 + (begun ? 1 : 0);
        if (seen_[state]) return;
        seen_[state] = true;
        visits_.push_back({a, b, begun, from, std::move(text)});
    }

    std::string spell(std::size_t visit, bool slash) const {
        std::string out = slash ? "/" : "";
        for (; visit != none; visit = visits_[visit].from) out.insert(0, visits_[visit].text);
        return out;
    }

    const PathPattern& a_;
    const PathPattern& b_;
    Slash slash_a_, slash_b_;
    std::size_t width_;
    std::vector<bool> seen_;
    std::vector<Visit> visits_;
};

std::optional<std::string> PathPattern::common(const PathPattern& a, Slash slash_a,
                                               const PathPattern& b, Slash slash_b) {
    // Most pairs of a large policy differ where segments can be counted from the left.
    const std::size_t shorter = std::min(a.elements_.size(), b.elements_.size());
    for (std::size_t at = 0; at < shorter; ++at) {
        const Element& x = a.elements_[at];
        const Element& y = b.elements_[at];
        if (x.kind == Kind::many || y.kind == Kind::many) break;
        if (!common_segment(x, y)) return std::nullopt;
    }
    return PatternPair(a, slash_a, b, slash_b).common();
}

}  // namespace rollcall::gate
