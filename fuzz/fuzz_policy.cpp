// The reader of policy files: any bytes are a policy or an error with a name, a place and one line.
// A policy that is accepted never allows what no rule allows, means the same in any order, and has
// one most specific rule for each request.
//
// An input is the file; after a line `---` a question a line may follow: `GET /path`.
#include "base/json.hpp"
#include "base/result.hpp"
#include "gate/policy_cases.hpp"
#include "gate/policy_docs.hpp"
#include "gate/policy_file.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace rollcall;

bool listed(const std::vector<std::string>& list, std::string_view value) {
    return list.empty() || std::ranges::find(list, value) != list.end();
}

bool covers(const gate::Rule& rule, const gate::Target& target) {
    const auto parts = gate::split_path(target.decoded);
    return parts && listed(rule.methods, target.method) && listed(rule.hosts, target.host) &&
           rule.path.matches(*parts, rule.slash());
}

void ask(const gate::Policy& policy, const gate::Policy& turned, const gate::Question& question) {
    const gate::Answer answer = gate::answer(policy, question);
    ensure(gate::answer(turned, question).rule == answer.rule, "the order makes no difference");
    if (answer.fault) return ensure(answer.access == gate::Access::deny, "what is odd is denied");
    const gate::Decision decision = policy.decide(answer.target);
    const auto covering = std::ranges::count_if(
        policy.rules(), [&](const gate::Rule& rule) { return covers(rule, answer.target); });
    if (decision.rule == nullptr) {
        ensure(covering == 0, "a rule that covers a request goes before the default");
        ensure(decision.access != gate::Access::public_, "the default is never public");
        return;
    }
    ensure(covers(*decision.rule, answer.target), "the rule that decides covers the request");
    for (const gate::Rule& rule : policy.rules()) {
        if (covers(rule, answer.target)) {
            ensure(rule.path.specificity(decision.rule->path) <= 0, "no rule is more specific");
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t line = std::min(input.find("\n---\n"), input.size());
    const auto policy = gate::parse_policy(input.substr(0, line), "policy.toml");
    if (!policy) {
        const auto& [fault, message] = policy.error();
        ensure(!gate::to_string(fault).empty(), "an error has a name");
        ensure(message.starts_with("policy.toml:"), "an error has a place");
        return 0;
    }
    ensure(policy->fallback() != gate::Access::public_, "the default is never public");
    std::vector<gate::Rule> rules(policy->rules().begin(), policy->rules().end());
    for (const gate::Rule& rule : rules) {
        ensure(gate::PathPattern::parse(rule.path.text()).has_value(), "a pattern is one again");
    }
    std::ranges::reverse(rules);
    const auto turned = gate::Policy::make(policy->fallback(), rules);
    ensure(turned.has_value(), "an overlap is one in any order");
    ensure(is_utf8(gate::policy_json(*policy)) && is_utf8(gate::openapi_json(*policy)),
           "JSON is UTF-8");
    ensure(std::ranges::count(gate::policy_table(*policy), '\n') ==
               static_cast<std::ptrdiff_t>(rules.size()) + 3,
           "a rule is a line of the table");
    if (line == input.size()) return 0;
    std::string_view questions = input.substr(line + 5);
    while (!questions.empty()) {
        const std::size_t end = std::min(questions.find('\n'), questions.size());
        if (const auto question = gate::parse_question(questions.substr(0, end))) {
            ask(*policy, *turned, *question);
        }
        questions.remove_prefix(std::min(end + 1, questions.size()));
    }
    return 0;
}
