#include "sync/deletion_hold.hpp"

#include "sync/sql.hpp"

#include <fmt/format.h>
#include <chrono>

namespace rollcall::sync {
namespace {

// Counting reads the whole ledger, and a burst asks for each of its users.
constexpr std::chrono::seconds count_age{10};

}  // namespace

// Those there were before the burst: it moves users from the one to the other.
Task<std::int64_t> DeletionHold::active_before(pg::Transaction& tx, std::int64_t deleted) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (!counted_at_ || now - *counted_at_ > count_age) {
        const pg::Rows users = co_await tx.execute(sql::active_users);
        active_before_ = users.bigint(0, 0) + deleted;
        counted_at_ = now;
    }
    co_return active_before_;
}

Task<std::optional<std::string>> DeletionHold::reason(pg::Transaction& tx,
                                                      const std::string& clerk_id) {
    co_await tx.execute(sql::lock_webhook_deletions);
    const pg::Rows lately =
        co_await tx.execute(sql::webhook_deletions, pg::Params().text(clerk_id));
    const std::int64_t users = lately.bigint(0, 0);
    if (lately.boolean(0, 1) || !guard_.holds(users + 1, 0)) co_return std::nullopt;
    if (!guard_.holds(users + 1, co_await active_before(tx, users))) co_return std::nullopt;
    co_return fmt::format(
        "held: webhooks deleted {} users within an hour, and no more go without a person; retry "
        "the job to delete the user, cancel it to refuse",
        users);
}

}  // namespace rollcall::sync
