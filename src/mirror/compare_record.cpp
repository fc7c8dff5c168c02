#include "mirror/compare_record.hpp"

#include "mirror/sql.hpp"

namespace rollcall::mirror {
namespace {

std::optional<SystemTime> time_of(const pg::Rows& rows, std::string_view column) {
    const int at = rows.column(column);
    if (rows.is_null(0, at)) return std::nullopt;
    return SystemTime(std::chrono::milliseconds(rows.bigint(0, at)));
}

}  // namespace

Task<bool> CompareRecord::due(std::chrono::milliseconds interval) {
    const auto rows =
        co_await pool_.execute(sql::compare_due, pg::Params().bigint(interval.count()));
    co_return rows.boolean(0, 0);
}

Task<Compared> CompareRecord::last() {
    const auto rows = co_await pool_.execute(sql::last_compared);
    const auto number = [&rows](std::string_view column) {
        return rows.bigint(0, rows.column(column));
    };
    co_return Compared{.at = time_of(rows, "compared_ms"),
                       .by = std::string(rows.text(0, rows.column("compared_by"))),
                       .drift = {.missing = number("missing"),
                                 .different = number("different"),
                                 .extra = number("extra")},
                       .foreign = number("foreign_users"),
                       .held = number("held"),
                       .allowed = number("allowed"),
                       .failed_at = time_of(rows, "failed_ms"),
                       .failure = std::string(rows.text(0, rows.column("failure")))};
}

Task<> CompareRecord::begun() {
    co_await pool_.execute(sql::compare_begun);
}

Task<bool> CompareRecord::done(std::int64_t run, const Compared& result) {
    pg::Params params;
    params.bigint(run).text(result.by).bigint(result.drift.missing);
    params.bigint(result.drift.different).bigint(result.drift.extra).bigint(result.foreign);
    const auto rows = co_await pool_.execute(sql::compare_done,
                                             params.bigint(result.held).bigint(result.allowed));
    co_return rows.affected() > 0;
}

Task<> CompareRecord::failed(std::int64_t run, std::string_view reason) {
    co_await pool_.execute(sql::compare_failed, pg::Params().bigint(run).text(reason));
}

Task<Result<std::int64_t>> CompareRecord::allow_removals(const Actor& by) {
    const std::string who = by.to_json();
    const auto rows = co_await pool_.execute(sql::allow_removals, pg::Params().text(who));
    if (rows.empty()) {
        co_return fail(ErrorCode::not_found, "no removals of the mirror wait for a person");
    }
    co_return rows.bigint(0, 0);
}

}  // namespace rollcall::mirror
