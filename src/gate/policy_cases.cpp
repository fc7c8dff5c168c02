#include "gate/policy_cases.hpp"

#include "base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace rollcall::gate {
namespace {

constexpr std::string_view blanks = " \t\r";

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    while (true) {
        line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
        if (line.empty()) return words;
        const std::size_t end = std::min(line.find_first_of(blanks), line.size());
        words.push_back(line.substr(0, end));
        line.remove_prefix(end);
    }
}

}  // namespace

std::optional<Question> parse_question(std::string_view text) {
    const auto words = words_of(text);
    if (words.size() != 2) return std::nullopt;
    return Question{std::string(words[0]), std::string(words[1])};
}

Answer answer(const Policy& policy, const Question& question) {
    auto target = canonical_target(question.method, "", question.target);
    if (!target) return {"bad_target", Access::deny, target.error()};
    const Decision decision = policy.decide(*target);
    return {std::string(decision.id()), decision.access, std::nullopt, *std::move(target)};
}

std::expected<std::vector<Case>, std::string> parse_cases(std::string_view text) {
    std::vector<Case> cases;
    unsigned number = 0;
    for (std::size_t from = 0; from < text.size();) {
        const std::size_t end = std::min(text.find('\n', from), text.size());
        auto words = words_of(text.substr(from, end - from));
        from = end + 1;
        ++number;
        const auto comment = std::ranges::find_if(
            words, [](std::string_view word) { return word.starts_with('#'); });
        words.erase(comment, words.end());
        if (words.empty()) continue;
        if (words.size() != 3 && words.size() != 4) {
            return std::unexpected(
                fmt::format("{}: must be METHOD PATH ACCESS [RULE], blanks between", number));
        }
        const auto access = parse_access(words[2]);
        if (!access) {
            return std::unexpected(fmt::format("{}: {} must be public, protected, admin or deny",
                                               number, json_string(words[2])));
        }
        cases.push_back({number,
                         {std::string(words[0]), std::string(words[1])},
                         *access,
                         words.size() == 4 ? std::string(words[3]) : ""});
    }
    return cases;
}

}  // namespace rollcall::gate
