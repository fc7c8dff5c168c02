// Questions to a policy, as people and test files write them: `GET /orders/1`, and what should come
// of each. Pure.
#pragma once

#include "gate/policy.hpp"

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::gate {

// A request: `GET /path`, `GET https://host/path`. Nothing when it is not two words.
struct Question {
    std::string method, target;
};
[[nodiscard]] std::optional<Question> parse_question(std::string_view text);

// A target that cannot be judged is denied; its rule is then called bad_target.
struct Answer {
    std::string rule;  // its id, "default" or "bad_target"
    Access access = Access::deny;
    std::optional<TargetFault> fault{};
    Target target{};  // without a fault
};
[[nodiscard]] Answer answer(const Policy& policy, const Question& question);

// A line `METHOD PATH ACCESS [RULE]`.
struct Case {
    unsigned line = 0;
    Question question;
    Access access = Access::deny;
    std::string rule{};  // empty: any
};
// Blank lines and what follows a # at the beginning of a word are no cases. Refused with a sentence
// that names the line.
[[nodiscard]] std::expected<std::vector<Case>, std::string> parse_cases(std::string_view text);

}  // namespace rollcall::gate
