// For servers that play a bad neighbour: a handler that answers with this status has nothing
// written and its connection closed. No product route does.
#pragma once

namespace rollcall::http {

inline constexpr unsigned hang_up = 0;

}  // namespace rollcall::http
