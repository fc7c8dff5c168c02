#include "sync/run_ledger.hpp"

#include "base/json.hpp"
#include "sync/sql.hpp"

#include <fmt/format.h>
#include <utility>

namespace rollcall::sync {
namespace {

SystemTime time_of(std::int64_t ms) {
    return SystemTime(std::chrono::milliseconds(ms));
}

std::optional<std::int64_t> maybe(const pg::Rows& rows, int row, std::string_view name) {
    const int column = rows.column(name);
    if (rows.is_null(row, column)) return std::nullopt;
    return rows.bigint(row, column);
}

std::optional<SystemTime> maybe_time(const pg::Rows& rows, int row, std::string_view name) {
    const auto ms = maybe(rows, row, name);
    return ms ? std::optional(time_of(*ms)) : std::nullopt;
}

RunSummary summary_of(const pg::Rows& rows, int row) {
    const auto count = [&](std::string_view name) { return rows.bigint(row, rows.column(name)); };
    const auto text = [&](std::string_view name) { return rows.text(row, rows.column(name)); };
    RunSummary out;
    out.run = count("id");
    out.mode = parse_run_mode(text("mode")).value_or(RunMode::incremental);
    out.status = parse_run_status(text("status")).value_or(RunStatus::failed);
    out.seen = count("seen");
    out.created = count("created");
    out.updated = count("updated");
    out.unchanged = count("unchanged");
    out.deleted = count("deleted");
    out.restored = count("restored");
    out.held_deletes = count("held_deletes");
    out.pages = count("pages");
    out.requests = count("requests");
    out.duration_seconds = rows.number(row, rows.column("duration_seconds"));
    if (const auto error = rows.maybe(row, rows.column("error"))) out.error = std::string(*error);
    out.failure = parse_run_failure(text("failure")).value_or(RunFailure::none);
    out.found = {.missing = count("found_missing"),
                 .stale = count("found_stale"),
                 .extra = count("found_extra")};
    return out;
}

RunRecord record_of(const pg::Rows& rows, int row) {
    const auto text = [&](std::string_view name) { return rows.text(row, rows.column(name)); };
    RunRecord out;
    out.summary = summary_of(rows, row);
    out.trigger = parse_run_trigger(text("trigger")).value_or(RunTrigger::cli);
    out.clerk_id = text("clerk_id");
    out.instance = text("instance");
    out.started_at = time_of(rows.bigint(row, rows.column("started_ms")));
    out.finished_at = maybe_time(rows, row, "finished_ms");
    out.continues = maybe(rows, row, "continues");
    return out;
}

pg::Params save_params(const RunSummary& run) {
    pg::Params params;
    params.bigint(run.run).text(to_string(run.status));
    params.text(fmt::format("{:.6f}", run.duration_seconds));
    params.bigint(run.seen).bigint(run.created).bigint(run.updated).bigint(run.unchanged);
    params.bigint(run.deleted).bigint(run.restored).bigint(run.held_deletes);
    params.bigint(run.found.missing).bigint(run.found.stale).bigint(run.found.extra);
    params.bigint(run.pages).bigint(run.requests).text(run.error);
    params.text(to_string(run.failure));
    return params;
}

pg::Params range_params(std::int64_t run, const std::vector<Range>& ranges) {
    std::vector<std::optional<std::int64_t>> from;
    std::vector<std::optional<std::int64_t>> until;
    std::vector<std::optional<std::int64_t>> reached;
    std::vector<std::optional<std::int64_t>> seen;
    std::vector<std::optional<bool>> done;
    for (const Range& range : ranges) {
        from.emplace_back(range.from_ms);
        until.push_back(range.until_ms);
        reached.emplace_back(range.reached_ms);
        seen.emplace_back(range.seen);
        done.emplace_back(range.done);
    }
    pg::Params params;
    params.bigint(run).bigint_array(from).bigint_array(until).bigint_array(reached);
    params.bigint_array(seen).boolean_array(done);
    return params;
}

// Nothing is left to go on from, of `run` and those before it.
void forget(std::vector<pg::Pool::Step>& steps, std::int64_t run) {
    steps.push_back({&sql::forget_ranges, pg::Params().bigint(run)});
    steps.push_back({&sql::forget_absences, pg::Params().bigint(run)});
}

}  // namespace

std::string to_json(const RunRecord& record) {
    std::string out = to_json(record.summary);
    out.pop_back();
    return out + fmt::format(R"(,"run":{},"trigger":"{}","started_at":{},"finished_at":{},)"
                             R"("instance":{},"continues":{}}})",
                             record.summary.run, to_string(record.trigger),
                             json_time(record.started_at), json_time(record.finished_at),
                             json_string(record.instance),
                             record.continues ? std::to_string(*record.continues) : "null");
}

RunLedger::RunLedger(pg::Pool& pool, std::string instance)
    : pool_(pool), instance_(std::move(instance)) {}

Task<std::vector<RunRecord>> RunLedger::history(int limit) {
    const pg::Rows rows =
        co_await pool_.execute(sql::run_history, pg::Params().integer(limit).null());
    std::vector<RunRecord> out;
    out.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) out.push_back(record_of(rows, row));
    co_return out;
}

Task<std::optional<RunRecord>> RunLedger::find(std::int64_t run) {
    const pg::Rows rows =
        co_await pool_.execute(sql::run_history, pg::Params().integer(1).bigint(run));
    if (rows.empty()) co_return std::nullopt;
    co_return record_of(rows, 0);
}

Task<std::optional<RunRecord>> RunLedger::last_full() {
    const pg::Rows rows = co_await pool_.execute(sql::last_full_run);
    co_return co_await find(rows.bigint(0, 0));
}

Task<SyncState> RunLedger::state() {
    const pg::Rows rows = co_await pool_.execute(sql::sync_state);
    const auto count = [&](std::string_view name) { return rows.bigint(0, rows.column(name)); };
    co_return SyncState{
        .now = time_of(count("now_ms")),
        .watermark_ms = maybe(rows, 0, "watermark_ms"),
        .full_completed_at = maybe_time(rows, 0, "full_completed_ms"),
        .instance_id = std::string(rows.text(0, rows.column("instance_id"))),
        .environment_type = std::string(rows.text(0, rows.column("environment_type"))),
        .last_started_at = maybe_time(rows, 0, "started_ms"),
        .last_completed_at = maybe_time(rows, 0, "completed_ms"),
        .failures_in_a_row = static_cast<int>(count("failures")),
        .interrupted = parse_run_mode(rows.text(0, rows.column("interrupted"))),
        .outpaced = rows.boolean(0, rows.column("outpaced")),
        .held_deletes = count("held_users"),
        .held_run = count("held_run"),
        .held_by_id = count("held_by_id"),
    };
}

Task<std::int64_t> RunLedger::begin(RunMode mode, RunTrigger trigger, std::string_view clerk_id,
                                    const std::optional<Actor>& by) {
    pg::Params params;
    params.text(to_string(mode)).text(to_string(trigger)).text(instance_).text(clerk_id);
    params.text(by ? by->to_json() : "");
    const pg::Rows rows = co_await pool_.execute(sql::begin_run, params);
    co_return rows.bigint(0, 0);
}

Task<> RunLedger::bury_killed() {
    co_await pool_.execute(sql::bury_killed_runs);
}

Task<> RunLedger::save(const RunSummary& so_far, const std::vector<Range>& ranges) {
    std::vector<pg::Pool::Step> steps;
    steps.push_back({&sql::save_run, save_params(so_far)});
    if (!ranges.empty()) steps.push_back({&sql::save_ranges, range_params(so_far.run, ranges)});
    co_await pool_.execute_together(std::move(steps));
}

Task<> RunLedger::finish(const RunSummary& summary) {
    std::vector<pg::Pool::Step> steps;
    steps.push_back({&sql::save_run, save_params(summary)});
    if (summary.mode == RunMode::full) forget(steps, summary.run);
    co_await pool_.execute_together(std::move(steps));
}

Task<bool> RunLedger::completed(const RunSummary& summary, std::int64_t watermark_ms) {
    const bool full = summary.mode == RunMode::full;
    std::vector<pg::Pool::Step> steps;
    steps.push_back({&sql::save_run, save_params(summary)});
    steps.push_back({&sql::note_completed,
                     pg::Params().bigint(watermark_ms).boolean(full).bigint(summary.run)});
    if (full) {
        forget(steps, summary.run);
        steps.push_back({&sql::prune_runs, {}});
    }
    const std::vector<pg::Rows> done = co_await pool_.execute_together(std::move(steps));
    co_return done.front().affected() > 0;
}

Task<std::string> RunLedger::claim_instance(std::string_view id,
                                            std::string_view environment_type) {
    const pg::Rows rows =
        co_await pool_.execute(sql::claim_instance, pg::Params().text(id).text(environment_type));
    co_return std::string(rows.text(0, 0));
}

Task<std::vector<std::string>> RunLedger::witnesses() {
    const pg::Rows rows = co_await pool_.execute(sql::witnesses);
    co_return rows.texts(0);
}

Task<std::optional<CutShort>> RunLedger::cut_short() {
    const pg::Rows rows = co_await pool_.execute(sql::cut_short);
    if (rows.empty()) co_return std::nullopt;
    CutShort out{.run = rows.bigint(0, 0),
                 .newest_created_ms = rows.bigint(0, 1),
                 .expected = rows.bigint(0, 2),
                 .newest_updated_ms = rows.bigint(0, 3),
                 .ranges = {}};
    const pg::Rows ranges = co_await pool_.execute(sql::ranges_of, pg::Params().bigint(out.run));
    for (int row = 0; row < ranges.size(); ++row) {
        out.ranges.push_back({.from_ms = ranges.bigint(row, 0),
                              .until_ms = maybe(ranges, row, "until_ms"),
                              .reached_ms = ranges.bigint(row, 2),
                              .seen = ranges.bigint(row, 3),
                              .done = ranges.boolean(row, 4)});
    }
    co_return out;
}

Task<> RunLedger::begin_full(std::int64_t run, const CutShort& beginning) {
    pg::Params beginning_params;
    beginning_params.bigint(run).bigint(beginning.newest_created_ms).bigint(beginning.expected);
    beginning_params.bigint(beginning.newest_updated_ms).bigint(beginning.run);
    std::vector<pg::Pool::Step> steps;
    steps.push_back({&sql::note_beginning, std::move(beginning_params)});
    if (beginning.run != 0) {
        const pg::Params both = pg::Params().bigint(run).bigint(beginning.run);
        steps.push_back({&sql::take_ranges, both});
        steps.push_back({&sql::take_absences, both});
    } else {
        forget(steps, run);
    }
    co_await pool_.execute_together(std::move(steps));
}

}  // namespace rollcall::sync
