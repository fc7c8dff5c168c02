#include "gate/wildcard.hpp"

#include "base/result.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace rollcall::gate {
namespace {

// A wildcard as an automaton whose state is a position: a byte, any byte, or any bytes, maybe none.
enum class Kind : std::uint8_t { byte, any, more };
struct Step {
    Kind kind;
    char byte;
};

std::vector<Step> steps_of(const std::vector<std::string>& pieces) {
    std::vector<Step> steps;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        if (i > 0) {
            steps.push_back({Kind::any, 0});
            steps.push_back({Kind::more, 0});
        }
        for (const char c : pieces[i]) steps.push_back({Kind::byte, c});
    }
    return steps;
}

// The walk through both automata at once: `from` remembers how each pair of states was reached.
class Product {
public:
    Product(const std::vector<Step>& a, const std::vector<Step>& b)
        : a_(a), b_(b), width_(b.size() + 1), from_((a.size() + 1) * width_, unseen) {}

    std::optional<std::string> text() {
        reach(0, 0, start, 0);
        for (std::size_t next = 0; next < queue_.size(); ++next) {
            const std::size_t here = queue_[next];
            const std::size_t i = here / width_;
            const std::size_t j = here % width_;
            if (i == a_.size() && j == b_.size()) return spell(here);
            const bool more_a = i < a_.size() && a_[i].kind == Kind::more;
            const bool more_b = j < b_.size() && b_[j].kind == Kind::more;
            if (more_a) reach(i + 1, j, here, 0);
            if (more_b) reach(i, j + 1, here, 0);
            if (i == a_.size() || j == b_.size()) continue;
            const bool byte_a = a_[i].kind == Kind::byte;
            const bool byte_b = b_[j].kind == Kind::byte;
            if (byte_a && byte_b && a_[i].byte != b_[j].byte) continue;
            const char other = byte_b ? b_[j].byte : 'x';
            reach(more_a ? i : i + 1, more_b ? j : j + 1, here, byte_a ? a_[i].byte : other);
        }
        return std::nullopt;
    }

private:
    static constexpr std::size_t unseen = SIZE_MAX;
    static constexpr std::size_t start = SIZE_MAX - 1;

    // `byte` 0: without taking one.
    void reach(std::size_t i, std::size_t j, std::size_t from, char byte) {
        const std::size_t state = i * width_ + j;
        if (from_[state] != unseen) return;
        from_[state] = from;
        queue_.push_back(state);
        bytes_.resize(from_.size());
        bytes_[state] = byte;
    }

    std::string spell(std::size_t state) const {
        std::string out;
        for (; state != start; state = from_[state]) {
            if (bytes_[state] != 0) out += bytes_[state];
        }
        std::ranges::reverse(out);
        return out;
    }

    const std::vector<Step>& a_;
    const std::vector<Step>& b_;
    std::size_t width_;
    std::vector<std::size_t> from_;
    std::vector<char> bytes_;
    std::vector<std::size_t> queue_;
};

// Whether one of the two goes on as the other does, as far as both are given.
bool agree_at_front(std::string_view a, std::string_view b) {
    return a.starts_with(b) || b.starts_with(a);
}

bool agree_at_back(std::string_view a, std::string_view b) {
    return a.ends_with(b) || b.ends_with(a);
}

}  // namespace

Wildcard::Wildcard(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {
    ensure(pieces_.size() >= 2, "a wildcard has a star");
}

// Every piece as far to the left as it goes, which leaves the most for those that follow.
bool Wildcard::matches(std::string_view text) const {
    const std::string& last = pieces_.back();
    if (!text.starts_with(pieces_.front())) return false;
    std::size_t at = pieces_.front().size();
    for (std::size_t i = 1; i + 1 < pieces_.size(); ++i) {
        const std::size_t found = text.find(pieces_[i], at + 1);
        if (found == std::string_view::npos) return false;
        at = found + pieces_[i].size();
    }
    return text.size() >= at + 1 + last.size() && text.ends_with(last);
}

std::optional<std::string> Wildcard::common(const Wildcard& a, const Wildcard& b) {
    // Most pairs of a large policy differ here.
    if (!agree_at_front(a.pieces_.front(), b.pieces_.front()) ||
        !agree_at_back(a.pieces_.back(), b.pieces_.back())) {
        return std::nullopt;
    }
    const std::vector<Step> steps_a = steps_of(a.pieces_);
    const std::vector<Step> steps_b = steps_of(b.pieces_);
    auto text = Product(steps_a, steps_b).text();
    // Only `.*` and `*.` have it in common, and with it everything between two dots.
    if (text == "..") text = "...";
    return text;
}

std::string Wildcard::example() const {
    std::string out = pieces_.front();
    for (std::size_t i = 1; i < pieces_.size(); ++i) out += "x" + pieces_[i];
    return out;
}

}  // namespace rollcall::gate
