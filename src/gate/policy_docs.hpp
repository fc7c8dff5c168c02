// A policy as others read it: people, and tools that know OpenAPI. Pure.
#pragma once

#include "gate/policy.hpp"

#include <string>

namespace rollcall::gate {

// A Markdown table of all rules as the file has them, the default last.
[[nodiscard]] std::string policy_table(const Policy& policy);
// The same as a JSON object: `default` and `rules`.
[[nodiscard]] std::string policy_json(const Policy& policy);

// The parts of an OpenAPI 3.1 document that speak of access: `paths`, each operation with its
// `security`, and the scheme that these name. What OpenAPI cannot say (a path with `**`, part of a
// segment, a second rule by host) stands in `x-rollcall-rules`.
[[nodiscard]] std::string openapi_json(const Policy& policy);

}  // namespace rollcall::gate
