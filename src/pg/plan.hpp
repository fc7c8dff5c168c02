// Every different statement (name, text, parameter types) that a pool has met: what it is called on
// the server and where its time is counted. Kept for the pool's life and bounded, since statements
// come from fixed files.
#pragma once

#include "base/metrics.hpp"
#include "pg/params.hpp"
#include "pg/statement.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rollcall::pg {

struct Plan {
    std::size_t id = 0;       // dense, for Connection's table of what it has prepared
    std::string server_name;  // of the prepared statement
    std::string label;        // Statement::name
    std::string text;
    std::vector<std::uint32_t> types;
    prometheus::Histogram* duration = nullptr;
};

class PlanCache {
public:
    explicit PlanCache(MetricsRegistry& metrics);
    PlanCache(const PlanCache&) = delete;
    PlanCache& operator=(const PlanCache&) = delete;

    // The same object for the same statement; it lives as long as the cache.
    const Plan& find(const Statement& statement, const Params& params);

private:
    struct Hash : std::hash<std::string_view> {
        using is_transparent = void;
    };
    const Plan& add(const Statement& statement, const Params& params, std::vector<Plan*>& same);

    prometheus::Family<prometheus::Histogram>& durations_;
    std::deque<Plan> plans_;
    std::unordered_map<std::string, std::vector<Plan*>, Hash, std::equal_to<>> by_name_;
};

}  // namespace rollcall::pg
