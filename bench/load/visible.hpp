// How long one event takes on an idle service from the first byte sent until another connection of
// the database sees the user's row.
#pragma once

#include "requests.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace rollcall::bench {

struct Watch {
    std::uint16_t port = 0;
    std::string database;                 // libpq connection string
    std::string user_prefix;              // of the Clerk id, before the ten digits
    std::chrono::milliseconds pause{20};  // between two events, so that the service is idle again
};

struct Seen {
    std::vector<double> accepted_ms;  // until the answer
    std::vector<double> visible_ms;   // until the row
};

// Sends every request in turn. Looks for the row every 50 microseconds or so from the answer on.
// Throws std::runtime_error when an answer is not 2xx or a row is not there within ten seconds.
[[nodiscard]] Seen watch_rows(const Watch& watch, const Requests& requests, std::uint64_t first);

}  // namespace rollcall::bench
