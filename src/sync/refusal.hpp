// Whose fault it is when the server refuses a change. Pure.
#pragma once

#include "pg/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace rollcall::sync {

enum class Refusal : std::uint8_t {
    again,      // somebody else was there at the same time: once more, at once
    for_ever,   // a value that can never be stored
    for_now,    // a constraint, a limit or a trigger of the application's: may change
    undecided,  // the table's fault or this change's: how other changes fare tells
    server,     // every change would fare alike
};

[[nodiscard]] Refusal judge(const pg::SqlError& error);

// Whether an undecided refusal counts against the change. Both in seconds since 1970 by the
// database: when any change was last applied, and when this one was last touched (enqueued or put
// off). One that was charged before is known to be refused on its own account.
[[nodiscard]] bool own_fault(int attempts_before, double touched_at, double last_applied_at);

// For the column `error` and the log: no values, which SqlError's message has not either.
[[nodiscard]] std::string reason_of(const pg::SqlError& error);

}  // namespace rollcall::sync
