// Whose fault it is when the server refuses a change. Pure.
#pragma once

#include "pg/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace rollcall::sync {

inline constexpr std::string_view foreign_key_violation = "23503";

enum class Refusal : std::uint8_t {
    again,        // somebody else was there at the same time: once more, at once
    for_ever,     // a value that can never be stored
    for_now,      // a constraint or a trigger of the application's: may change
    not_the_job,  // the schema or the server: every job would fare alike
};

[[nodiscard]] Refusal judge(const pg::SqlError& error);

// For the column `error` and the log: no values, which SqlError's message has not either.
[[nodiscard]] std::string reason_of(const pg::SqlError& error);

}  // namespace rollcall::sync
