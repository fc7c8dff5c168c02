// A policy against an application: every endpoint has a rule, every rule an endpoint, and the route
// files say what the policy says. Pure: it is given the files.
#pragma once

#include "gate/policy.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::gate {

// A file below Next.js's `app/`, by its path from there with slashes: `api/quiz/[id]/route.ts`.
struct AppFile {
    std::string path;
    std::string source;  // of route files
};

enum class AppFileKind : std::uint8_t { route, page, other };
[[nodiscard]] AppFileKind kind_of(std::string_view path);
// Whether nothing below a folder of this name has a URL: private (`_lib`), node_modules.
[[nodiscard]] bool is_private_folder(std::string_view name);

struct RouteUrl {
    std::string text;                   // `/api/quiz/{id}`, as the policy would have it
    std::vector<PathPattern> patterns;  // all paths that lead there
    std::vector<std::string> examples;  // some of them, canonical
};
// The URL of a route or page file; nothing where none leads there (private folders, intercepting
// routes, names that no URL has).
[[nodiscard]] std::optional<RouteUrl> url_of(std::string_view path);

enum class RouteFault : std::uint8_t {
    endpoint_without_rule,
    rule_without_endpoint,
    rules_differ,     // one endpoint, several accesses, by the values of its segments
    missing_comment,  // at the top of the file; see `Added`
    other_comment,    // it says something else than the policy
    no_method,        // a route file that exports none
    unknown_methods,  // `export * from`
    no_url,           // a route file that no URL leads to
};
[[nodiscard]] std::string_view to_string(RouteFault fault);

struct RouteFinding {
    RouteFault fault;
    std::string where;    // the file, or the rule's id
    std::string message;  // a sentence
};

// Comment lines that a file lacks.
struct Added {
    std::string path;
    std::vector<std::string> lines;
};

struct RouteReport {
    std::size_t endpoints = 0;  // methods of route files
    std::vector<RouteFinding> findings;
    std::vector<Added> comments;
};
[[nodiscard]] RouteReport check_routes(const Policy& policy, std::span<const AppFile> files);

}  // namespace rollcall::gate
