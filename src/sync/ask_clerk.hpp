// One question to Clerk: does this user exist, and how does it look? Nothing is thrown: no answer
// is an answer. A 404 counts only when it is said twice.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "clerk/user.hpp"
#include "directory/change.hpp"
#include "directory/column_map.hpp"
#include "pg/pool.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace rollcall::sync {

struct ClerkAnswer {
    enum class Kind : std::uint8_t {
        user,
        no_such_user,
        no_id_of_clerks,  // nothing of Clerk's can have such an id
        unreachable,      // no answer, or none that says anything; another time
    };
    Kind kind = Kind::unreachable;
    std::optional<clerk::User> user;
    SystemTime asked_at;  // the database's time before the (last) question
    std::string reason;   // of unreachable; no personal data
};

Task<ClerkAnswer> ask_clerk(pg::Pool& pool, clerk::BackendApi& clerk, std::string clerk_id);

[[nodiscard]] directory::Snapshot snapshot_of(const clerk::User& user,
                                              const directory::ColumnMap& columns);

// The change that an answer is; of `user` and `no_such_user` only.
[[nodiscard]] directory::Read read_of(const ClerkAnswer& answer, std::string clerk_id,
                                      const directory::ColumnMap& columns);

}  // namespace rollcall::sync
