// The policy file: TOML, one [[rule]] for each group of endpoints (docs/gate.md). Pure: it is given
// the text. Nothing unknown, doubtful or contradictory is accepted: a policy that means something
// else than its author thought is an open door.
#pragma once

#include "gate/policy.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace rollcall::gate {

inline constexpr std::size_t policy_bytes_max = std::size_t{1024} * 1024;
inline constexpr std::size_t policy_rules_max = 10'000;

enum class PolicyFault : std::uint8_t {
    syntax,          // no TOML, or a key twice
    too_large,       // over policy_bytes_max or policy_rules_max
    unknown_key,     //
    missing_key,     //
    wrong_type,      //
    bad_value,       //
    public_default,  // default = "public"
    duplicate_id,    //
    overlap,         // two equally specific rules cover the same request
};
// Stable, in snake case.
[[nodiscard]] std::string_view to_string(PolicyFault fault);

struct PolicyError {
    PolicyFault fault;
    std::string message;  // "policy.toml:12: rule \"orders\": path: must start with /"
};

// `file` is how messages name it.
[[nodiscard]] std::expected<Policy, PolicyError> parse_policy(std::string_view text,
                                                              std::string_view file);

}  // namespace rollcall::gate
