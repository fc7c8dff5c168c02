// How the ledger knows a user who was erased (docs/privacy.md).
#pragma once

#include <cstdint>

namespace rollcall::directory {

// Their version, later than any of Clerk's: no event is newer, whenever it comes and however it is
// dated. Clerk itself, asked a day later and still knowing the user, is believed.
inline constexpr std::int64_t erased_version = 253'402'300'799'999;  // the end of the year 9999

}  // namespace rollcall::directory
