#include "privacy/personal_data.hpp"

#include "audit/audit_log.hpp"
#include "base/json.hpp"
#include "directory/erasure.hpp"
#include "privacy/sql.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string>
#include <vector>

namespace rollcall::privacy {
namespace {

using directory::quote_identifier;
using directory::quote_literal;

// The names of the mirrored columns, as literals: of the lists only some exist.
std::string row_members(const directory::ColumnMap& columns) {
    std::string members;
    for (const std::string_view name : directory::mirrored_columns(columns)) {
        if (name.empty()) continue;
        members += fmt::format("{}{}", members.empty() ? "" : ",", quote_literal(name));
    }
    return members;
}

std::unexpected<Error> refused(const pg::SqlError& error) {
    return fail(ErrorCode::conflict,
                fmt::format("the users table refuses, and nothing was done: {}", error.what()));
}

}  // namespace

PersonalData::PersonalData(pg::Pool& pool, const directory::ColumnMap& columns) : pool_(pool) {
    const auto name = directory::parse_table_name(columns.table);
    ensure(name.has_value(), "the users table's name was checked with the settings");
    const std::string table = quote(*name);
    const std::string clerk_id = quote_identifier(columns.clerk_id);
    const std::string mine = fmt::format("WHERE u.{} = $1", clerk_id);
    const std::string id = quote_identifier(columns.id);
    find_ = fmt::format(
        "SELECT u.{0}::text FROM {1} u WHERE u.{0} IS NOT NULL "
        "AND (u.{0}::text = $1::text OR u.{2}::text = lower($1::text)) LIMIT 1",
        clerk_id, table, id);
    row_id_ = fmt::format("SELECT u.{}::text FROM {} u {}", id, table, mine);
    row_ = fmt::format(
        "SELECT (SELECT jsonb_object_agg(m.key, m.value) FROM jsonb_each(to_jsonb(u)) m "
        "WHERE m.key IN ({}))::text FROM {} u {}",
        row_members(columns), table, mine);
    std::vector<std::string> set;
    for (const std::string& column : {columns.email, columns.name}) {
        if (!column.empty()) set.push_back(quote_identifier(column) + " = NULL");
    }
    if (columns.delete_mode == directory::DeleteMode::soft) {
        const std::string deleted = quote_identifier(columns.deleted_at);
        set.push_back(fmt::format("{0} = coalesce(u.{0}, now())", deleted));
    }
    blank_row_ = fmt::format("UPDATE {} u SET {} {}", table, fmt::join(set, ", "), mine);
    if (set.empty()) blank_row_ = fmt::format("SELECT FROM {} u {}", table, mine);
    remove_row_ = fmt::format("DELETE FROM {} u {}", table, mine);
}

Task<std::optional<std::string>> PersonalData::find(std::string_view id) {
    for (const pg::Statement& statement : {pg::Statement{"privacy_find_row", find_}, sql::known}) {
        const pg::Rows rows = co_await pool_.execute(statement, pg::Params().text(id));
        if (!rows.empty()) co_return std::string(rows.text(0, 0));
    }
    co_return std::nullopt;
}

Task<std::string> PersonalData::export_of(std::string_view clerk_id, const Actor& by) {
    co_await audit::record(pool_, by, {.action = "user.export", .target = clerk_id});
    const pg::Params who = pg::Params().text(clerk_id);
    const pg::Rows row = co_await pool_.execute({"privacy_row", row_}, who);
    const pg::Rows rest = co_await pool_.execute(sql::collected, who);
    std::string out = R"({"clerk_id":)" + json_string(clerk_id) + R"(,"row":)";
    out += row.empty() ? "null" : row.text(0, 0);
    out += ",";
    out += rest.text(0, 0).substr(1);
    co_return out;
}

Task<Result<Erased>> PersonalData::erase(std::string_view clerk_id, RowErasure row,
                                         const directory::Outbox& outbox, const Actor& by) {
    const pg::Params who = pg::Params().text(clerk_id);
    Erased erased;
    pg::Transaction tx = co_await pool_.begin();
    const pg::Rows jobs = co_await tx.execute(sql::blank_jobs, who);
    const pg::Rows events = co_await tx.execute(sql::blank_events, who);
    const pg::Rows id = co_await tx.execute({"privacy_row_id", row_id_}, who);
    pg::Params tomb = who;
    if (id.empty()) {
        tomb.null();
    } else {
        tomb.text(id.text(0, 0));
    }
    tomb.bigint(directory::erased_version);
    co_await tx.execute(sql::entomb, tomb);
    const bool removes = row == RowErasure::remove;
    const pg::Statement change{removes ? "privacy_remove_row" : "privacy_blank_row",
                               removes ? remove_row_ : blank_row_};
    const auto changed = co_await tx.try_execute(change, who);
    if (!changed) {
        co_return refused(changed.error());
    }
    erased.rows = changed->affected();
    erased.jobs = jobs.bigint(0, 0);
    erased.cancelled = jobs.bigint(0, 1);
    erased.events = events.affected();
    co_await tx.execute(sql::forget_absences, who);
    co_await tx.execute(sql::forget_held, who);
    co_await outbox.arm(tx, clerk_id);
    const std::string detail =
        fmt::format(R"({{"row":"{}","jobs":{},"cancelled":{},"events":{}}})",
                    erased.rows == 0 ? "none" : (removes ? "removed" : "blanked"), erased.jobs,
                    erased.cancelled, erased.events);
    co_await audit::record(tx, by, {.action = "user.erase", .target = clerk_id, .detail = detail});
    const auto committed = co_await tx.try_commit();  // a constraint may be deferred
    if (!committed) {
        co_return refused(committed.error());
    }
    co_return erased;
}

}  // namespace rollcall::privacy
