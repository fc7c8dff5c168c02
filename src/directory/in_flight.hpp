// The transactions that were applying something at one moment. Whoever has written what those who
// apply go by waits for these: they may not have seen it, and what they have done is seen only once
// they have ended.
#pragma once

#include "base/task.hpp"
#include "pg/pool.hpp"

#include <string>
#include <utility>

namespace rollcall::directory {

class InFlight {
public:
    // Those of all processes, now.
    static Task<InFlight> now(pg::Pool& pool);
    // Whether one of them is still open.
    Task<bool> any(pg::Pool& pool);

private:
    explicit InFlight(std::string transactions) : transactions_(std::move(transactions)) {}

    std::string transactions_;  // an array's text
};

}  // namespace rollcall::directory
