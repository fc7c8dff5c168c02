#include "gate/policy_docs.hpp"

#include "base/ascii.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace rollcall::gate {
namespace {

namespace json = boost::json;
using Kind = PathPattern::Kind;

constexpr std::string_view scheme = "clerkSession";
// OpenAPI 3.1.0, "Path Item Object".
constexpr std::array<std::string_view, 8> operations{"GET",     "PUT",  "POST",  "DELETE",
                                                     "OPTIONS", "HEAD", "PATCH", "TRACE"};

// Text in a cell: a bar would end it, and HTML would be taken for itself.
std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|' || c == '\\' || c == '<' || c == '`' || c == '*' || c == '_') out += '\\';
        out += c;
    }
    return out;
}

std::string words(const std::vector<std::string>& list) {
    return list.empty() ? "any" : fmt::format("{}", fmt::join(list, ", "));
}

// The largest unit that leaves a whole number, as the file has it.
std::string shown(std::chrono::milliseconds time) {
    constexpr std::array<std::pair<std::int64_t, std::string_view>, 5> units{
        {{86'400'000, "d"}, {3'600'000, "h"}, {60'000, "m"}, {1000, "s"}, {1, "ms"}}};
    const auto* unit = std::ranges::find_if(
        units, [&](const auto& candidate) { return time.count() % candidate.first == 0; });
    return fmt::format("{}{}", time.count() / unit->first, unit->second);
}

json::array strings(const std::vector<std::string>& list) {
    json::array out;
    for (const std::string& text : list) out.emplace_back(text);
    return out;
}

json::object rule_json(const Rule& rule) {
    json::object out{{"id", rule.id},
                     {"hosts", strings(rule.hosts)},
                     {"methods", strings(rule.methods)},
                     {"path", rule.path.text()},
                     {"access", to_string(rule.access)}};
    out["summary"] = rule.summary.empty() ? json::value(nullptr) : json::value(rule.summary);
    out["client"] = rule.client ? json::value(to_string(*rule.client)) : json::value(nullptr);
    out["max_staleness_milliseconds"] =
        rule.max_staleness ? json::value(rule.max_staleness->count()) : json::value(nullptr);
    return out;
}

// A path as a template of OpenAPI, with `shape` equal for templates that differ in names alone;
// nothing where there is none.
struct Template {
    std::string text, shape;
    std::vector<std::string> names;
};
std::optional<Template> template_of(const PathPattern& pattern) {
    Template out;
    for (const auto& element : pattern.elements()) {
        if (element.kind == Kind::partial || element.kind == Kind::many) return std::nullopt;
        if (element.kind == Kind::literal) {
            const std::string text = encoded_path(element.text);
            out.text += "/" + text;
            out.shape += "/" + text;
            continue;
        }
        out.names.push_back(element.name.empty() ? fmt::format("segment{}", out.names.size() + 1)
                                                 : element.name);
        out.text += "/{" + out.names.back() + "}";
        out.shape += "/{}";
    }
    if (pattern.ends_in_slash()) {
        out.text += "/";
        out.shape += "/";
    }
    return out;
}

json::object operation(const Rule& rule, std::string_view method) {
    json::object out{{"operationId", fmt::format("{}-{}", rule.id, to_lower(method))}};
    if (!rule.summary.empty()) out["summary"] = rule.summary;
    json::array security;
    json::object responses{{"default", json::object{{"description", "The endpoint's own"}}}};
    if (rule.access != Access::public_) {
        security.push_back(json::object{{scheme, json::array{}}});
        responses["401"] = json::object{{"description", "No valid session token"}};
        responses["403"] = json::object{{"description", "Not allowed"}};
    }
    out["security"] = std::move(security);
    out["responses"] = std::move(responses);
    out["x-rollcall-rule"] = rule.id;
    out["x-rollcall-access"] = to_string(rule.access);
    if (rule.client) out["x-rollcall-client"] = to_string(*rule.client);
    return out;
}

json::array parameters(const std::vector<std::string>& names) {
    json::array out;
    for (const std::string& name : names) {
        out.push_back(json::object{{"name", name},
                                   {"in", "path"},
                                   {"required", true},
                                   {"schema", json::object{{"type", "string"}}}});
    }
    return out;
}

}  // namespace

std::string policy_table(const Policy& policy) {
    std::string out =
        "| rule | methods | hosts | path | access | client | staleness | summary |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |\n";
    for (const Rule& rule : policy.rules()) {
        out +=
            fmt::format("| {} | {} | {} | `{}` | {} | {} | {} | {} |\n", cell(rule.id),
                        words(rule.methods), words(rule.hosts), rule.path.text(),
                        to_string(rule.access), rule.client ? to_string(*rule.client) : "",
                        rule.max_staleness ? shown(*rule.max_staleness) : "", cell(rule.summary));
    }
    out += fmt::format("| default | any | any | every other | {} | | | |\n",
                       to_string(policy.fallback()));
    return out;
}

std::string policy_json(const Policy& policy) {
    json::array rules;
    for (const Rule& rule : policy.rules()) rules.push_back(rule_json(rule));
    return json::serialize(
        json::object{{"default", to_string(policy.fallback())}, {"rules", std::move(rules)}});
}

std::string openapi_json(const Policy& policy) {
    std::map<std::string, std::string> text_of;  // by shape: the first rule names the segments
    json::object paths;
    json::array others;
    for (const std::size_t place : policy.by_specificity()) {
        const Rule& rule = policy.rules()[place];
        const auto path = template_of(rule.path);
        if (!path) {
            others.push_back(rule_json(rule));
            continue;
        }
        const auto [known, fresh] = text_of.try_emplace(path->shape, path->text);
        if (fresh) {
            paths[path->text] = json::object{};
            if (!path->names.empty()) {
                paths[path->text].as_object()["parameters"] = parameters(path->names);
            }
        }
        json::object& item = paths[known->second].as_object();
        bool whole = true;
        for (const std::string_view method : operations) {
            const bool named = std::ranges::find(rule.methods, method) != rule.methods.end();
            if (!rule.methods.empty() && !named) continue;
            // A more specific rule may have it already: by its host, or its methods.
            if (item.contains(to_lower(method))) {
                whole = false;
            } else {
                item[to_lower(method)] = operation(rule, method);
            }
        }
        const bool other_methods = std::ranges::any_of(rule.methods, [](const std::string& method) {
            return std::ranges::find(operations, method) == operations.end();
        });
        if (!whole || other_methods || !rule.hosts.empty()) others.push_back(rule_json(rule));
    }
    json::object out{
        {"openapi", "3.1.0"},
        {"info", json::object{{"title", "Access policy"}, {"version", "1"}}},
        {"paths", std::move(paths)},
        {"components",
         json::object{
             {"securitySchemes", json::object{{scheme, json::object{{"type", "http"},
                                                                    {"scheme", "bearer"},
                                                                    {"bearerFormat", "JWT"}}}}}}},
        {"x-rollcall-default", to_string(policy.fallback())},
        {"x-rollcall-rules", std::move(others)}};
    return json::serialize(out);
}

}  // namespace rollcall::gate
