#include "directory/copy_comparison.hpp"

#include <array>
#include <utility>

namespace rollcall::directory {
namespace {

constexpr std::string_view before_all = "00000000-0000-0000-0000-000000000000";
constexpr std::array<std::string_view, 5> field_names{"email", "name", "role", "banned",
                                                      "confirmed"};

pg::Params in_order(std::int64_t run, std::string_view after, int limit) {
    pg::Params params;
    params.bigint(run).text(after.empty() ? before_all : after).integer(limit);
    return params;
}

pg::Params some(std::int64_t run, std::span<const std::string> ids) {
    const std::vector<std::optional<std::string_view>> views(ids.begin(), ids.end());
    pg::Params params;
    params.bigint(run).text_array(views);
    return params;
}

CopyJob job_of(std::string_view status) {
    if (status == "PENDING" || status == "PROCESSING") return CopyJob::waiting;
    if (status == "WRITTEN") return CopyJob::written;
    return status == "CANCELLED" ? CopyJob::cancelled : CopyJob::none;
}

RowFinding row_finding(const pg::Rows& rows, int row) {
    RowFinding out{.clerk_id = std::string(rows.text(row, rows.column("clerk_id"))),
                   .seen_id = std::string(rows.text(row, rows.column("seen_id"))),
                   .known_id = std::string(rows.text(row, rows.column("known_id"))),
                   .missing = rows.boolean(row, rows.column("missing")),
                   .fields = {},
                   .job = job_of(rows.text(row, rows.column("job")))};
    if (out.missing) return out;
    for (const std::string_view field : field_names) {
        if (rows.boolean(row, rows.column(field))) out.fields.push_back(field);
    }
    return out;
}

CopyFinding::Kind kind_of(const pg::Rows& rows, int row) {
    if (!rows.boolean(row, rows.column("known"))) return CopyFinding::Kind::foreign;
    if (rows.boolean(row, rows.column("deleted"))) return CopyFinding::Kind::deleted;
    return rows.boolean(row, rows.column("twice")) ? CopyFinding::Kind::twice
                                                   : CopyFinding::Kind::no_row;
}

CopyFinding copy_finding(const pg::Rows& rows, int row) {
    return {.kind = kind_of(rows, row),
            .auth_id = std::string(rows.text(row, rows.column("auth_id"))),
            .clerk_id = std::string(rows.text(row, rows.column("clerk_id"))),
            .job = job_of(rows.text(row, rows.column("job")))};
}

// The findings, and the row that tells of the portion itself.
template <class Finding>
Portion<Finding> portion_of(const pg::Rows& rows, Finding (*read)(const pg::Rows&, int)) {
    Portion<Finding> out;
    const int clerk_id = rows.column("clerk_id");
    for (int row = 0; row < rows.size(); ++row) {
        if (rows.is_null(row, clerk_id)) {
            out.last = rows.text(row, rows.column("last_id"));
        } else {
            out.findings.push_back(read(rows, row));
        }
    }
    return out;
}

Portion<CopyFinding> copies_of(const pg::Rows& rows) {
    Portion<CopyFinding> out = portion_of(rows, copy_finding);
    if (!out.last.empty()) {
        out.unclaimed = rows.bigint(rows.size() - 1, rows.column("unclaimed"));
    }
    return out;
}

}  // namespace

Task<Portion<RowFinding>> CopyComparison::rows(pg::Pool& pool, std::int64_t run,
                                               std::string_view after, int limit) const {
    const pg::Rows found = co_await pool.execute({"directory_compared_rows", texts_.compared_rows},
                                                 in_order(run, after, limit));
    co_return portion_of(found, row_finding);
}

Task<Portion<CopyFinding>> CopyComparison::copies(pg::Pool& pool, std::int64_t run,
                                                  std::string_view after, int limit) const {
    const pg::Rows found = co_await pool.execute(
        {"directory_compared_copies", texts_.compared_copies}, in_order(run, after, limit));
    co_return copies_of(found);
}

Task<std::vector<RowFinding>> CopyComparison::rows_of(
    pg::Pool& pool, std::int64_t run, std::span<const std::string> clerk_ids) const {
    const pg::Rows found = co_await pool.execute(
        {"directory_compared_users", texts_.compared_users}, some(run, clerk_ids));
    co_return portion_of(found, row_finding).findings;
}

Task<std::vector<CopyFinding>> CopyComparison::some_copies(
    pg::Pool& pool, std::int64_t run, std::span<const std::string> auth_ids) const {
    const pg::Rows found = co_await pool.execute({"directory_compared_some", texts_.compared_some},
                                                 some(run, auth_ids));
    co_return copies_of(found).findings;
}

}  // namespace rollcall::directory
