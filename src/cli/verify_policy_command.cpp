#include "base/json.hpp"
#include "cli/input.hpp"
#include "cli/route_files.hpp"
#include "cli/verify_policy.hpp"
#include "gate/policy_cases.hpp"
#include "gate/policy_docs.hpp"
#include "gate/policy_file.hpp"
#include "gate/route_check.hpp"
#include "gate/route_source.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace rollcall::cli {
namespace {

struct PolicyArguments {
    std::string file;
    std::optional<std::string> cases, routes;
    std::vector<std::string> explain;
    bool docs = false;
    bool openapi = false;
    bool write = false;
};

int refuse(std::string_view reason, const std::string& message, bool json) {
    if (json) {
        fmt::print("{{\"accepted\":false,\"reason\":\"{}\",\"message\":{}}}\n", reason,
                   json_string(message));
    } else {
        fmt::print("{}: {}\n", reason, message);
    }
    return exit_found;
}

// The hosts that rules name: on them another rule may hold than where the host is not known.
std::set<std::string> hosts_of(const gate::Policy& policy) {
    std::set<std::string> hosts;
    for (const gate::Rule& rule : policy.rules()) {
        hosts.insert(rule.hosts.begin(), rule.hosts.end());
    }
    return hosts;
}

int explain(const gate::Policy& policy, const std::string& text, bool json) {
    const auto question = gate::parse_question(text);
    if (!question) {
        return report(
            {ErrorCode::invalid_input, fmt::format("--explain {}: must be \"METHOD /path\" or "
                                                   "\"METHOD https://host/path\"",
                                                   json_string(text))});
    }
    const gate::Answer answer = gate::answer(policy, *question);
    if (answer.fault) {
        return refuse("bad_target",
                      fmt::format("{}: such a request is refused, whatever the rules say",
                                  gate::to_string(*answer.fault)),
                      json);
    }
    if (json) {
        fmt::print(R"({{"rule":{},"access":"{}","method":{},"host":{},"path":{}}})"
                   "\n",
                   json_string(answer.rule), gate::to_string(answer.access),
                   json_string(answer.target.method), json_string(answer.target.host),
                   json_string(answer.target.path));
        return exit_ok;
    }
    fmt::print("{} {}\n", answer.rule, gate::to_string(answer.access));
    if (!answer.target.host.empty()) return exit_ok;
    for (const std::string& host : hosts_of(policy)) {
        gate::Target there = answer.target;
        there.host = host;
        const gate::Decision decision = policy.decide(there);
        if (decision.id() == answer.rule) continue;
        fmt::print("on {}: {} {}\n", host, decision.id(), gate::to_string(decision.access));
    }
    return exit_ok;
}

int check_cases(const gate::Policy& policy, const std::string& file, bool json) {
    const auto text = read_input(file);
    if (!text) return report(text.error());
    const auto cases = gate::parse_cases(*text);
    if (!cases) {
        return report({ErrorCode::invalid_input, fmt::format("{}:{}", file, cases.error())});
    }
    for (const gate::Case& expected : *cases) {
        const gate::Answer answer = gate::answer(policy, expected.question);
        const bool right = answer.access == expected.access &&
                           (expected.rule.empty() || expected.rule == answer.rule);
        if (right) continue;
        return refuse(
            "differs",
            fmt::format("{}:{}: {} {} is {} by {}{}, not {}{}{}", file, expected.line,
                        expected.question.method, expected.question.target,
                        gate::to_string(answer.access), answer.rule,
                        answer.fault ? fmt::format(" ({})", gate::to_string(*answer.fault)) : "",
                        gate::to_string(expected.access), expected.rule.empty() ? "" : " by ",
                        expected.rule),
            json);
    }
    if (json) {
        fmt::print("{{\"accepted\":true,\"reason\":\"ok\",\"cases\":{}}}\n", cases->size());
    } else {
        fmt::print("ok: {} cases hold\n", cases->size());
    }
    return exit_ok;
}

// Adds the comments that are missing; how many files have them now, or the first that has not.
Result<std::size_t> write_comments(const RouteFiles& routes, const gate::RouteReport& report) {
    for (const gate::Added& added : report.comments) {
        const auto file = std::ranges::find(routes.files, added.path, &gate::AppFile::path);
        ensure(file != routes.files.end(), "a comment is missing in a file that was read");
        const auto written = replace_file(routes.app / added.path, file->source,
                                          gate::with_notices(file->source, added.lines));
        if (!written) return std::unexpected(written.error());
    }
    return report.comments.size();
}

struct RouteLine {
    std::string fault, where, message;
};

void print_routes(std::span<const RouteLine> lines, std::size_t endpoints, std::size_t written,
                  bool json) {
    if (!json) {
        for (const auto& [fault, where, message] : lines) {
            fmt::print("{}: {}: {}\n", fault, where, message);
        }
        if (written > 0) fmt::print("written: comments at the top of {} files\n", written);
        if (lines.empty()) fmt::print("ok: {} endpoints, each with its rule\n", endpoints);
        return;
    }
    std::string findings;
    for (const auto& [fault, where, message] : lines) {
        findings += fmt::format(R"({}{{"fault":"{}","where":{},"message":{}}})",
                                findings.empty() ? "" : ",", fault, json_string(where),
                                json_string(message));
    }
    fmt::print(R"({{"accepted":{},"endpoints":{},"written":{},"findings":[{}]}})"
               "\n",
               lines.empty(), endpoints, written, findings);
}

int check_routes(const gate::Policy& policy, const PolicyArguments& arguments, bool json) {
    const auto routes = read_route_files(*arguments.routes);
    if (!routes) return report(routes.error());
    const gate::RouteReport found = gate::check_routes(policy, routes->files);
    std::size_t written = 0;
    if (arguments.write) {
        const auto done = write_comments(*routes, found);
        if (!done) return report(done.error());
        written = *done;
    }
    std::set<std::string> mended;
    if (written > 0) {
        for (const gate::Added& added : found.comments) mended.insert(added.path);
    }
    std::vector<RouteLine> lines;
    for (const std::string& text : routes->unreadable) {
        const std::size_t colon = text.rfind(": ");
        lines.push_back({"not_read", text.substr(0, colon), text.substr(colon + 2)});
    }
    for (const gate::RouteFinding& finding : found.findings) {
        if (finding.fault == gate::RouteFault::missing_comment && mended.contains(finding.where)) {
            continue;
        }
        lines.push_back(
            {std::string(gate::to_string(finding.fault)), finding.where, finding.message});
    }
    print_routes(lines, found.endpoints, written, json);
    return lines.empty() ? exit_ok : exit_found;
}

int verify_policy(const PolicyArguments& arguments, bool json) {
    const auto text = read_input(arguments.file);
    if (!text) return report(text.error());
    const auto policy = gate::parse_policy(*text, arguments.file);
    if (!policy) {
        return refuse(gate::to_string(policy.error().fault), policy.error().message, json);
    }
    int code = exit_ok;
    bool asked = false;
    const auto done = [&](int part) {
        asked = true;
        code = std::max(code, part);
    };
    for (const std::string& question : arguments.explain) done(explain(*policy, question, json));
    if (arguments.cases) done(check_cases(*policy, *arguments.cases, json));
    if (arguments.docs) {
        fmt::print("{}{}", json ? gate::policy_json(*policy) : gate::policy_table(*policy),
                   json ? "\n" : "");
        done(exit_ok);
    }
    if (arguments.openapi) {
        fmt::print("{}\n", gate::openapi_json(*policy));
        done(exit_ok);
    }
    if (arguments.routes) done(check_routes(*policy, arguments, json));
    if (asked) return code;
    const std::size_t rules = policy->rules().size();
    if (json) {
        fmt::print(R"({{"accepted":true,"reason":"ok","rules":{},"default":"{}"}})"
                   "\n",
                   rules, gate::to_string(policy->fallback()));
    } else {
        fmt::print("ok: {} rules, default {}\n", rules, gate::to_string(policy->fallback()));
    }
    return exit_ok;
}

}  // namespace

void add_verify_policy_command(CLI::App& verify, const Globals& globals, int& exit_code) {
    auto* policy = verify.add_subcommand(
        "policy",
        "Checks a policy file of the gate. Prints the reason first: ok, syntax, too_large, "
        "unknown_key, missing_key, wrong_type, bad_value, public_default, duplicate_id, overlap");
    const auto arguments = std::make_shared<PolicyArguments>();
    policy
        ->add_option("--explain", arguments->explain,
                     "Prints the rule and the access of a request: \"GET /orders/1\"; with a "
                     "host: \"GET https://app.example.com/orders/1\"")
        ->type_name("REQUEST")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    policy
        ->add_option("--cases", arguments->cases,
                     "Compares with lines METHOD PATH ACCESS [RULE]; 1 at the first that differs")
        ->type_name("FILE");
    policy->add_flag("--docs", arguments->docs, "Prints all rules as a Markdown table");
    policy->add_flag("--openapi", arguments->openapi, "Prints the rules as OpenAPI's security");
    auto* routes = policy->add_option(
        "--routes", arguments->routes,
        "Compares with the route files of a Next.js application: its app/ directory");
    routes->type_name("DIR");
    policy
        ->add_flag("--write", arguments->write, "Adds the comments on access that route files lack")
        ->needs(routes);
    policy->add_option("file", arguments->file, "The policy file; - for standard input")
        ->required()
        ->type_name("FILE|-");
    policy->callback(
        [arguments, &globals, &exit_code] { exit_code = verify_policy(*arguments, globals.json); });
}

}  // namespace rollcall::cli
