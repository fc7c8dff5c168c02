#include "directory/comparison.hpp"

#include "directory/read_arrays.hpp"
#include "directory/sql.hpp"

#include <array>
#include <utility>

namespace rollcall::directory {
namespace {

constexpr int absent_max = 1'000;        // of one answer
constexpr int strangers_chunk = 20'000;  // rows looked at by one statement
constexpr std::string_view first_row = "00000000-0000-0000-0000-000000000000";

// The fields of `compare`, two columns each: whether it differs, and what is there.
constexpr int first_field = 3;
constexpr std::array<std::string_view, 6> field_names{"email",      "name",   "role",
                                                      "deleted_at", "banned", "locked"};

Deviation deviation_of(const pg::Rows& rows, int row) {
    Deviation out{.position = static_cast<std::size_t>(rows.bigint(row, 0)),
                  .present = rows.boolean(row, 1),
                  .newcomer = rows.boolean(row, 2),
                  .fields = {}};
    if (!out.present) return out;
    for (std::size_t field = 0; field < field_names.size(); ++field) {
        const int column = first_field + 2 * static_cast<int>(field);
        if (rows.is_null(row, column) || !rows.boolean(row, column)) continue;
        std::optional<std::string> value;
        if (const auto text = rows.maybe(row, column + 1)) value = std::string(*text);
        out.fields.push_back({field_names[field], std::move(value)});
    }
    return out;
}

void add_time(pg::Params& params, const std::optional<std::int64_t>& time_us) {
    if (time_us) {
        params.bigint(*time_us);
    } else {
        params.null();
    }
}

// Where compare finds most users. Nobody, without a span.
void add_span(pg::Params& params, const std::optional<CreationSpan>& span) {
    if (!span) {
        params.bigint(0).text("").bigint(0);
        return;
    }
    add_time(params, span->from_us);
    params.text(span->after_id);
    add_time(params, span->until_us);
}

pg::Params params_of(const CreationSpan& span,
                     std::span<const std::optional<std::string_view>> named) {
    pg::Params params;
    add_span(params, span);
    params.text_array(named).integer(absent_max);
    return params;
}

Absences absences_of(const pg::Rows& rows, const CreationSpan& span) {
    Absences out{.clerk_ids = rows.texts(0)};
    if (rows.size() == absent_max) {
        out.rest = CreationSpan{.from_us = rows.bigint(rows.size() - 1, 1),
                                .after_id = out.clerk_ids.back(),
                                .until_us = span.until_us};
    }
    return out;
}

}  // namespace

SystemTime time_of(const pg::Rows& settings) {
    const double seconds = settings.number(0, settings.column("now"));
    return SystemTime(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)));
}

Task<Compared> Comparison::compare(pg::Pool& pool, std::span<const Read> reads,
                                   const std::optional<CreationSpan>& span,
                                   std::span<const std::string> also) const {
    const ReadArrays arrays(reads);
    const pg::Statement compare{"directory_compare", texts_.compare};
    pg::Params compared = arrays.compared();
    add_span(compared, span);
    std::vector<pg::Pool::Step> steps;
    steps.push_back({&sql::settings, {}});
    steps.push_back({&compare, std::move(compared)});
    if (span) {
        std::vector<std::optional<std::string_view>> named = arrays.clerk_ids();
        named.insert(named.end(), also.begin(), also.end());
        steps.push_back({&sql::absent, params_of(*span, named)});
    }
    const auto results = co_await pool.execute_together(std::move(steps));
    Compared out;
    out.now = time_of(results[0]);
    for (int row = 0; row < results[1].size(); ++row) {
        out.deviations.push_back(deviation_of(results[1], row));
    }
    if (span) out.absences = absences_of(results[2], *span);
    co_return out;
}

Task<Absences> Comparison::absent(pg::Pool& pool, const CreationSpan& span,
                                  std::span<const std::string> named) const {
    const std::vector<std::optional<std::string_view>> views(named.begin(), named.end());
    std::vector<pg::Pool::Step> steps;
    steps.push_back({&sql::settings, {}});
    steps.push_back({&sql::absent, params_of(span, views)});
    const auto results = co_await pool.execute_together(std::move(steps));
    co_return absences_of(results[1], span);
}

Task<std::vector<std::string>> Comparison::unplaced(pg::Pool& pool,
                                                    std::string_view after_id) const {
    const pg::Rows rows =
        co_await pool.execute(sql::unplaced, pg::Params().text(after_id).integer(absent_max));
    co_return rows.texts(0);
}

Task<Strangers> Comparison::strangers(pg::Pool& pool, std::string_view after_row) const {
    const pg::Statement strangers{"directory_strangers", texts_.strangers};
    pg::Params params;
    params.text(after_row.empty() ? first_row : after_row).integer(strangers_chunk);
    std::vector<pg::Pool::Step> steps;
    steps.push_back({&sql::settings, {}});
    steps.push_back({&strangers, std::move(params)});
    const auto results = co_await pool.execute_together(std::move(steps));
    const pg::Rows& rows = results[1];
    Strangers out;
    for (int row = 0; row < rows.size(); ++row) {
        if (rows.is_null(row, 1)) {
            out.last_id = rows.text(row, 0);
        } else {
            out.clerk_ids.emplace_back(rows.text(row, 1));
        }
    }
    co_return out;
}

Task<bool> Comparison::balanced(pg::Pool& pool) const {
    const pg::Rows rows = co_await pool.execute({"directory_balanced", texts_.balanced});
    co_return rows.boolean(0, 0);
}

Task<bool> Comparison::blank(pg::Pool& pool) const {
    const pg::Rows rows = co_await pool.execute({"directory_blank", texts_.blank});
    co_return rows.boolean(0, 0);
}

Task<std::int64_t> Comparison::active(pg::Pool& pool) const {
    const pg::Rows rows = co_await pool.execute(sql::active);
    co_return rows.bigint(0, 0);
}

}  // namespace rollcall::directory
