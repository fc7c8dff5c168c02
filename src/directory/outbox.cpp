#include "directory/outbox.hpp"

#include "directory/sql.hpp"

#include <vector>

namespace rollcall::directory {
namespace {

pg::Params ids(std::span<const std::string> clerk_ids) {
    const std::vector<std::optional<std::string_view>> all(clerk_ids.begin(), clerk_ids.end());
    return std::move(pg::Params().text_array(all));
}

Existence existence(bool there, bool deleted) {
    if (deleted) return Existence::deleted;
    return there ? Existence::living : Existence::unknown;
}

}  // namespace

Task<MirroredRow> Outbox::row(pg::Pool& pool, std::string_view clerk_id) const {
    const pg::Rows rows = co_await pool.execute({"directory_mirrored_row", texts_.mirrored_row},
                                                pg::Params().text(clerk_id));
    ensure(rows.size() == 1, "mirrored_row: one row");
    MirroredRow out{.existence = existence(rows.boolean(0, rows.column("there")),
                                           rows.boolean(0, rows.column("deleted"))),
                    .email = std::string(rows.text(0, rows.column("email"))),
                    .name = std::string(rows.text(0, rows.column("name"))),
                    .role = std::string(rows.text(0, rows.column("role"))),
                    .banned = rows.boolean(0, rows.column("banned")),
                    .content_hash = rows.bigint(0, rows.column("content_hash")),
                    .auth_id = std::string(rows.text(0, rows.column("auth_id"))),
                    .adopting = rows.boolean(0, rows.column("adopting")),
                    .written_hash = {},
                    .skipped = std::string(rows.text(0, rows.column("skipped")))};
    const int written = rows.column("written_hash");
    if (!rows.is_null(0, written)) out.written_hash = rows.bigint(0, written);
    co_return out;
}

Task<> Outbox::arm(pg::Transaction& tx, std::string_view clerk_id) const {
    co_await tx.execute({"directory_arm_one", texts_.arm_one}, pg::Params().text(clerk_id));
}

Task<int> Outbox::arm(pg::Pool& pool, std::span<const std::string> clerk_ids) const {
    const pg::Rows armed =
        co_await pool.execute({"directory_arm_again", texts_.arm_again}, ids(clerk_ids));
    co_return static_cast<int>(armed.affected());
}

Task<> Outbox::arm_lost(pg::Pool& pool, const std::string& clerk_id) const {
    co_await pool.execute({"directory_arm_lost", texts_.arm_lost}, ids({&clerk_id, 1}));
}

Task<> Outbox::want(pg::Pool& pool) {
    co_await pool.execute(sql::want);
}

Task<Result<bool>> Outbox::wanted(pg::Pool& pool) {
    const auto rows = co_await pool.try_execute(sql::wanted);
    if (!rows) {
        const std::string reason = rows.error().what();
        co_return fail(ErrorCode::not_found, reason + ": run rollcall migrate");
    }
    co_return rows->size() == 1 && rows->boolean(0, 0);
}

}  // namespace rollcall::directory
