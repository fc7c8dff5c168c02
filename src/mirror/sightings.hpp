// What one comparison sees of Supabase Auth's users: rollcall.mirror_seen, filled from auth.users
// where that can be read and is this Auth's, else from the pages of Auth's list. Addresses and
// names stand there as hashes. Bounded: a page is all that is in memory.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "pg/pool.hpp"
#include "supabase/auth_api.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace rollcall::mirror {

struct SightingsConfig {
    int page_users = 1'000;
    int table_users = 10'000;      // of auth.users in one statement
    int second_looks_max = 1'000;  // users asked for one by one; beyond it the list counts
};

// `internal`: the list is not whole, so that nothing can be concluded from it.
[[nodiscard]] Error error_of(const supabase::AuthError& error);

class Sightings {
public:
    // References must outlive this. `run` is the comparison's; `goes_on`, asked between portions,
    // says why it must not go on, if so.
    Sightings(pg::Pool& pool, supabase::AuthApi& auth, std::int64_t run,
              std::function<Result<void>()> goes_on, SightingsConfig config = {});

    // Everybody. `unavailable` when Auth is away, `bad_configuration` when it refuses the key.
    Task<Result<void>> look();
    // Users of whom something else was expected: some may have changed since, and a page may have
    // left them out.
    Task<Result<void>> look_again(std::span<const std::string> auth_ids);
    // Also what others have left who were killed.
    Task<> forget();

    [[nodiscard]] bool by_sql() const { return by_sql_; }

private:
    Task<Result<bool>> is_this_auths();
    Task<Result<void>> look_at_table();
    Task<Result<void>> look_at_pages();
    Task<Result<std::int64_t>> walk();
    Task<> note(std::span<const supabase::AuthUser> users);

    pg::Pool& pool_;
    supabase::AuthApi& auth_;
    std::int64_t run_;
    std::function<Result<void>()> goes_on_;
    SightingsConfig config_;
    bool by_sql_ = false;
    int second_looks_ = 0;
};

}  // namespace rollcall::mirror
