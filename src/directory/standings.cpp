#include "directory/standings.hpp"

#include "base/result.hpp"

#include <cstdint>
#include <utility>

namespace rollcall::directory {
namespace {

enum Column : std::uint8_t { user_id, role, listed, deleted, banned, locked, revoked_for, age };

std::optional<double> maybe_number(const pg::Rows& rows, int row, int column) {
    if (rows.is_null(row, column)) return std::nullopt;
    return rows.number(row, column);
}

}  // namespace

Task<StandingsRead> Standings::read(pg::Pool& pool, std::span<const StandingAsked> asked,
                                    bool with_sync_age) const {
    std::vector<std::optional<std::string_view>> clerk_ids;
    std::vector<std::optional<std::string_view>> sessions;
    clerk_ids.reserve(asked.size());
    sessions.reserve(asked.size());
    for (const StandingAsked& one : asked) {
        clerk_ids.emplace_back(one.clerk_id);
        sessions.emplace_back(one.session_id);
    }
    pg::Params params;
    params.text_array(clerk_ids).text_array(sessions).boolean(with_sync_age);
    const pg::Rows rows = co_await pool.execute({"directory_standings", texts_.standings}, params);
    ensure(std::cmp_equal(rows.size(), asked.size()), "standings: one row for each");
    StandingsRead out;
    out.standings.reserve(asked.size());
    for (int row = 0; row < rows.size(); ++row) {
        out.standings.push_back({.user_id = std::string(rows.text(row, Column::user_id)),
                                 .role = std::string(rows.text(row, Column::role)),
                                 .listed = rows.boolean(row, Column::listed),
                                 .deleted = rows.boolean(row, Column::deleted),
                                 .banned = rows.boolean(row, Column::banned),
                                 .locked = rows.boolean(row, Column::locked),
                                 .revoked_for = maybe_number(rows, row, Column::revoked_for)});
    }
    if (!rows.empty()) out.sync_age_seconds = maybe_number(rows, 0, Column::age);
    co_return out;
}

}  // namespace rollcall::directory
