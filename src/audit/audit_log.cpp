#include "audit/audit_log.hpp"

#include "audit/sql.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::audit {
namespace {

constexpr int page_max = 500;

pg::Params params_of(const std::string& actor, const Entry& entry) {
    pg::Params params;
    params.text(actor).text(entry.action).text(entry.target).text(entry.detail);
    return params;
}

StoredEntry read_entry(const pg::Rows& rows, int row) {
    const auto text = [&](std::string_view name) {
        return std::string(rows.text(row, rows.column(name)));
    };
    return {.id = rows.bigint(row, rows.column("id")),
            .at = text("at"),
            .actor = text("actor"),
            .actor_name = text("actor_name"),
            .actor_ip = text("actor_ip"),
            .database_user = text("database_user"),
            .action = text("action"),
            .target = text("target"),
            .detail = text("detail"),
            .reason = text("reason"),
            .request_id = text("request_id")};
}

}  // namespace

Task<EntryPage> list(pg::Pool& pool, const EntryFilter& filter) {
    const int limit = std::clamp(filter.limit, 1, page_max);
    pg::Params params;
    const auto add_number = [&params](std::optional<std::int64_t> value) {
        if (value) {
            params.bigint(*value);
        } else {
            params.null();
        }
    };
    params.text(filter.action).text(filter.target);
    add_number(filter.since ? std::optional<std::int64_t>(filter.since->count()) : std::nullopt);
    add_number(filter.before);
    params.integer(limit + 1);
    const pg::Rows rows = co_await pool.execute(sql::list, params);
    EntryPage page;
    for (int row = 0; row < std::min(rows.size(), limit); ++row) {
        page.entries.push_back(read_entry(rows, row));
    }
    if (rows.size() > limit) page.next = page.entries.back().id;
    co_return page;
}

Task<> record(pg::Pool& pool, const Actor& actor, const Entry& entry) {
    const std::string who = actor.to_json();
    co_await pool.execute(sql::record, params_of(who, entry));
}

Task<> record(pg::Transaction& tx, const Actor& actor, const Entry& entry) {
    const std::string who = actor.to_json();
    co_await tx.execute(sql::record, params_of(who, entry));
}

Task<int> prune(pg::Pool& pool, std::chrono::milliseconds keep, int limit) {
    const pg::Rows rows =
        co_await pool.execute(sql::prune, pg::Params().bigint(keep.count()).integer(limit));
    co_return static_cast<int>(rows.affected());
}

}  // namespace rollcall::audit
