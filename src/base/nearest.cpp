#include "base/nearest.hpp"

#include "base/ascii.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace rollcall {
namespace {

// Names are short; a longer one is no misspelling, and the comparison takes their product.
constexpr std::size_t name_bytes_max = 128;

// The words between underscores in alphabetical order.
std::string sorted_words(std::string_view name) {
    std::vector<std::string> words(1);
    for (const char c : name) {
        if (c == '_') {
            words.emplace_back();
        } else {
            words.back() += c;
        }
    }
    std::ranges::sort(words);
    std::string out;
    for (const std::string& word : words) out += word + "_";
    return out;
}

// Levenshtein's distance.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

// In letters; more than half of the longer one is not near.
std::optional<std::size_t> unlikeness(const std::string& a, const std::string& b) {
    if (a.empty() || b.empty() || std::max(a.size(), b.size()) > name_bytes_max) return {};
    std::size_t letters = std::min(distance(a, b), distance(sorted_words(a), sorted_words(b)) + 1);
    if (a.contains(b) || b.contains(a)) letters = std::min<std::size_t>(letters, 2);
    if (letters * 2 > std::max(a.size(), b.size())) return {};
    return letters;
}

}  // namespace

std::optional<std::string> nearest(std::string_view name, std::span<const std::string> candidates) {
    const std::string wanted = to_lower(name);
    std::optional<std::string> found;
    std::size_t least = 0;
    for (const std::string& candidate : candidates) {
        const auto letters = unlikeness(wanted, to_lower(candidate));
        if (!letters || (found && *letters >= least)) continue;
        found = candidate;
        least = *letters;
    }
    return found;
}

}  // namespace rollcall
