// One simulated Supabase Auth: its users, its keys, and what was asked of it. The faults are shared
// with the simulated Clerk, so that one route sets them all. No I/O: AuthApi answers requests from
// it, AuthControl shows it, all on one event loop.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "sim/auth_keys.hpp"
#include "sim/auth_store.hpp"
#include "sim/faults.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

namespace rollcall::sim {

enum class AuthOperation : std::uint8_t { create, list, get, update, remove, other };

[[nodiscard]] std::string_view to_string(AuthOperation operation);  // "delete" for remove

// A request that came, and what it got.
struct AuthRecord {
    std::int64_t at = 0;  // unix milliseconds
    AuthOperation operation = AuthOperation::other;
    std::string user_id;      // of the path; "" where it has none
    std::string traceparent;  // as it came; "" for none
    unsigned status = 0;      // 0: the connection was closed instead
};

struct AuthInstance {
    static constexpr std::size_t records_max = 1000;
    static constexpr std::size_t operations = 6;

    // `shared` and `time` must outlive this.
    AuthInstance(AuthKeys project_keys, std::uint64_t seed, Faults& shared, const Clock& time)
        : clock(time), faults(shared), keys(std::move(project_keys)), random_(seed) {}
    AuthInstance(const AuthInstance&) = delete;
    AuthInstance& operator=(const AuthInstance&) = delete;

    const Clock& clock;
    Faults& faults;
    AuthKeys keys;
    AuthStore users;
    // Of all that came, whoever sent it and whatever it got.
    std::array<std::uint64_t, operations> requests{};
    std::map<unsigned, std::uint64_t> answers;  // by status; 0: hung up
    std::deque<AuthRecord> records;             // the newest last

    void record(AuthRecord record);
    // Users, counts and records go; keys and faults stay.
    void reset();

    // Unix microseconds, no two the same within a thousand.
    [[nodiscard]] std::int64_t stamp();
    [[nodiscard]] std::string make_id();

private:
    Random random_;
    std::int64_t stamps_ = 0;
};

}  // namespace rollcall::sim
