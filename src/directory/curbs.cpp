#include "directory/curbs.hpp"

#include "base/log.hpp"

#include <variant>

namespace rollcall::directory {

Task<> Curbs::of_job(pg::Pool& pool, std::string_view id) const {
    const pg::Params params = pg::Params().text(id);
    co_await write(pool, {"directory_bar_by_job", texts_.bar_by_job}, params);
    if (texts_.assign_by_job.empty()) co_return;
    co_await write(pool, {"directory_assign_by_job", texts_.assign_by_job}, params);
}

Task<> Curbs::of_read(pg::Pool& pool, const Read& read) const {
    const auto* snapshot = std::get_if<Snapshot>(&read.state);
    if (snapshot == nullptr) co_return;
    pg::Params params;
    params.text(read.clerk_id).bigint(snapshot->version);
    params.boolean(snapshot->banned).boolean(snapshot->locked).text(snapshot->role);
    co_await write(pool, {"directory_bar_by_read", texts_.bar_by_read}, params);
    if (texts_.assign_by_read.empty()) co_return;
    co_await write(pool, {"directory_assign_by_read", texts_.assign_by_read}, params);
}

Task<> Curbs::write(pg::Pool& pool, const pg::Statement& statement,
                    const pg::Params& params) const {
    pg::Transaction tx = co_await pool.begin();
    const auto rows = co_await tx.try_execute(statement, params);
    if (!rows) {
        log::warn("access_not_curbed", {{"sqlstate", rows.error().sqlstate()}});
        co_return;
    }
    if (rows->empty()) co_return;
    co_await outbox_.arm(tx, rows->text(0, 0));
    if (const auto done = co_await tx.try_commit(); !done) {
        log::warn("access_not_curbed", {{"sqlstate", done.error().sqlstate()}});
        co_return;
    }
    log::info("access_curbed", {{"clerk_user_id", rows->text(0, 0)}});
}

}  // namespace rollcall::directory
