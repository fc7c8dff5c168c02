#include "sync/absences.hpp"

#include "base/log.hpp"
#include "sync/sql.hpp"

#include <chrono>

namespace rollcall::sync {
namespace {

// Between the two answers that make a deletion.
constexpr std::chrono::milliseconds second_look_after{5'000};
constexpr std::chrono::milliseconds held_for = std::chrono::minutes(5);

}  // namespace

Task<> Absences::found(const std::string& clerk_id) {
    co_await pool_.execute(sql::forget_absence, pg::Params().text(clerk_id));
}

Task<std::optional<jobs::Retry>> Absences::missing(const std::string& clerk_id) {
    const pg::Rows rows = co_await pool_.execute(sql::note_absence, pg::Params().text(clerk_id));
    const bool deleted = rows.boolean(0, 1);
    if (deleted || rows.bigint(0, 0) >= second_look_after.count()) co_return std::nullopt;
    co_return jobs::Retry{.reason = "Clerk does not know " + clerk_id + ": it is asked once more",
                          .delay = second_look_after,
                          .burns_attempt = false};
}

Task<bool> Absences::allowed(pg::Transaction& tx) {
    const pg::Rows lately = co_await tx.execute(sql::deletions_lately);
    const std::int64_t users = lately.bigint(0, 0) + 1;
    if (!guard_.holds(users, 0)) co_return true;
    const pg::Rows active = co_await tx.execute(sql::active_users);  // reads the whole ledger
    co_return !guard_.holds(users, active.bigint(0, 0));
}

Task<bool> Absences::conclude(pg::Transaction& tx, const std::string& clerk_id) {
    co_await tx.execute(sql::lock_absences);
    if (!co_await allowed(tx)) co_return false;
    co_await tx.execute(sql::conclude_absence, pg::Params().text(clerk_id));
    co_return true;
}

Task<jobs::Retry> Absences::hold(const std::string& clerk_id) {
    const pg::Rows rows = co_await pool_.execute(sql::hold_absence, pg::Params().text(clerk_id));
    const std::int64_t deleted = rows.bigint(0, 0);
    log::error("deletions_held", {{"deleted_within_the_hour", deleted}});
    co_return jobs::Retry{.reason = "Deletion held back: Clerk does not know this user, but " +
                                    std::to_string(deleted) +
                                    " users were deleted for that within the hour",
                          .delay = held_for,
                          .burns_attempt = false};
}

}  // namespace rollcall::sync
