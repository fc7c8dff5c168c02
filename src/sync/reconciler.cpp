#include "sync/reconciler.hpp"

#include "base/failpoint.hpp"
#include "base/log.hpp"
#include "base/scoped_flag.hpp"
#include "base/together.hpp"
#include "base/wakeup.hpp"
#include "directory/in_flight.hpp"
#include "jobs/lease.hpp"
#include "jobs/work_loop.hpp"
#include "sync/full_pass.hpp"
#include "sync/held_deletes.hpp"
#include "sync/incremental_pass.hpp"
#include "sync/key_check.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <utility>

namespace rollcall::sync {
namespace {

constexpr std::string_view lease_name = "sync";
// How long a transaction that applies something is waited for: longer than its statements may take.
constexpr std::chrono::minutes open_change_max{5};
constexpr std::chrono::milliseconds open_change_pause{50};

double seconds_since(SteadyTime begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Whether a complete pass may go on from where this one ended.
bool resumable(const RunSummary& summary, const std::vector<Range>& ranges) {
    const bool by_list = summary.failure == RunFailure::inconsistent ||
                         summary.failure == RunFailure::other_instance;
    return !by_list && std::ranges::any_of(ranges, [](const Range& range) { return !range.done; });
}

// A pass that has begun is known to what is applied from then on (RunLedger::begin_full); what was
// being applied already it must see.
Task<> let_end(Pass& pass) {
    pg::Pool& pool = pass.parts().pool;
    const SteadyTime limit = std::chrono::steady_clock::now() + open_change_max;
    directory::InFlight earlier = co_await directory::InFlight::now(pool);
    while (!pass.stopped() && co_await earlier.any(pool)) {
        if (std::chrono::steady_clock::now() > limit) {
            pass.fail(RunFailure::interrupted,
                      "a change of a user that began before this run does not end");
        }
        co_await sleep(open_change_pause);
    }
}

Error busy() {
    return {ErrorCode::conflict, "another run is under way"};
}

void broken(Pass& pass, const Error& error) {
    if (error.code == ErrorCode::unavailable) {
        pass.fail(RunFailure::interrupted, "the database was away for a while");
    } else {
        pass.fail(RunFailure::refused_rows, error.message);
    }
}

}  // namespace

struct Reconciler::State {
    State(pg::Pool& p, directory::Directory& d, clerk::BackendApi& c, Refresh& r,
          ReconcilerConfig given)
        : parts{.pool = p, .directory = d, .clerk = c, .refresh = r},
          config(std::move(given)),
          runs(p, config.instance),
          held(runs, parts),
          lease(p, std::string(lease_name), config.instance, config.lease) {}

    // One run, in the caller's coroutine and under the lease.
    struct Run {
        RunRequest request;
        Progress* progress = nullptr;
        RunSummary summary{};
        SteadyTime began = std::chrono::steady_clock::now();
        std::optional<FullPass> full{};
        std::int64_t watermark_ms = 0;
        bool over = false;
    };

    Task<RunSummary> run(RunRequest request, Progress* progress);
    Task<> run(RunRequest request, Progress* progress, RunSummary& end);
    Task<> body(Run& run, Pass& pass, Wakeup& over);
    Task<> go(Run& run, Pass& pass);
    Task<> go_full(Run& run, Pass& pass);
    Task<> watch(Run& run, Pass& pass, Wakeup& over);
    Task<> save(const Run& run);
    Task<> both(Run& run, Pass& pass);
    void judge(Run& run, const Pass& pass) const;
    Task<> record(Run& run);
    Task<> end(Run& run, const Pass& pass);
    Task<> approve(std::int64_t run, Actor by, std::optional<std::string> clerk_id,
                   Result<HeldDecision>& decision);

    Pass::Parts parts;
    ReconcilerConfig config;
    RunLedger runs;
    HeldDeletes held;
    jobs::Lease lease;
    RunObserver observer;
    Wakeup* beat = nullptr;  // of the run under way: ends the pause of watch
    bool running = false;
    bool interrupted = false;
};

Task<> Reconciler::State::go_full(Run& run, Pass& pass) {
    run.full.emplace(pass, FullPassConfig{.workers = config.workers,
                                          .page_users = config.page_users,
                                          .guard = config.guard});
    std::optional<CutShort> beginning;
    if (!run.request.dry_run && !run.request.start_anew) beginning = co_await runs.cut_short();
    if (!beginning) beginning = co_await run.full->look();
    if (!beginning) co_return;
    if (!run.request.dry_run) {
        co_await runs.begin_full(run.summary.run, *beginning);
        co_await let_end(pass);
    }
    run.watermark_ms = beginning->newest_updated_ms;
    co_await run.full->run(*beginning);
}

Task<> Reconciler::State::go(Run& run, Pass& pass) {
    if (!co_await right_key(runs, pass)) co_return;
    if (run.summary.mode == RunMode::full) {
        co_await go_full(run, pass);
        co_return;
    }
    IncrementalPass incremental(pass, {.page_users = config.page_users, .overlap = config.overlap});
    run.watermark_ms = co_await incremental.run(run.watermark_ms);
}

Task<> Reconciler::State::body(Run& run, Pass& pass, Wakeup& over) {
    struct End {
        Run& run;
        Wakeup& over;
        ~End() {
            run.over = true;
            over.wake();
        }
    } end{.run = run, .over = over};
    co_await go(run, pass);
}

// Keeps the record, so that another may go on from there. The database may be away for a moment.
Task<> Reconciler::State::save(const Run& run) {
    if (run.request.dry_run) co_return;
    const std::vector<Range> ranges = run.full ? run.full->ranges() : std::vector<Range>();
    failpoint("pass.before_save");
    co_await jobs::guarded("sync_run_not_saved", runs.save(run.summary, ranges));
}

// Beside the run.
Task<> Reconciler::State::watch(Run& run, Pass& pass, Wakeup& over) {
    while (!run.over) {
        co_await over.wait(config.save_every);
        if (run.over) co_return;
        if (interrupted) {
            pass.interrupt(run.request.dry_run ? "interrupted"
                                               : "interrupted; the next run goes on from there");
        }
        if (!lease.held()) pass.interrupt("the lease was lost");
        co_await save(run);
    }
}

Task<> Reconciler::State::both(Run& run, Pass& pass) {
    Wakeup over(co_await asio::this_coro::executor);
    struct Beat {
        explicit Beat(State& state, Wakeup& wakeup) : state(state) { state.beat = &wakeup; }
        ~Beat() { state.beat = nullptr; }
        Beat(const Beat&) = delete;
        Beat& operator=(const Beat&) = delete;
        State& state;
    } const at_once(*this, over);
    std::vector<Task<>> tasks;
    tasks.push_back(body(run, pass, over));
    tasks.push_back(watch(run, pass, over));
    co_await together(std::move(tasks));
}

void Reconciler::State::judge(Run& run, const Pass& pass) const {
    RunSummary& summary = run.summary;
    if (summary.failure == RunFailure::none && pass.refused() > 0) {
        summary.failure = RunFailure::refused_rows;
        summary.error = fmt::format("{} users were not taken by the users table, the first: {}",
                                    pass.refused(), pass.refusal());
    }
    summary.status = status_of(summary.failure);
    summary.duration_seconds = seconds_since(run.began);
}

Task<> Reconciler::State::record(Run& run) {
    RunSummary& summary = run.summary;
    const std::vector<Range> ranges = run.full ? run.full->ranges() : std::vector<Range>();
    if (summary.status == RunStatus::completed) {
        if (summary.mode == RunMode::full) co_await held.supersede(summary.run);
        failpoint("pass.before_completed");
        if (co_await runs.completed(summary, run.watermark_ms)) co_return;
        // Another run has buried this one: it completed nothing.
        summary.status = RunStatus::failed;
        summary.failure = RunFailure::killed;
        summary.error = "the lease was lost, another run has followed";
        co_return;
    }
    if (resumable(summary, ranges)) {
        co_await runs.save(summary, ranges);
    } else {
        co_await runs.finish(summary);
    }
}

// What is not on record did not complete, whatever it has done.
Task<> Reconciler::State::end(Run& run, const Pass& pass) {
    RunSummary& summary = run.summary;
    judge(run, pass);
    const bool recorded =
        run.request.dry_run || co_await jobs::guarded("sync_run_not_recorded", record(run));
    if (!recorded) {
        summary.status = RunStatus::incomplete;
        summary.failure = RunFailure::interrupted;
        summary.error = "the database was away at the end";
    }
    log::info("sync_run_ended", {{"run", summary.run},
                                 {"mode", to_string(summary.mode)},
                                 {"trigger", to_string(run.request.trigger)},
                                 {"status", to_string(summary.status)},
                                 {"seen", summary.seen},
                                 {"held_deletes", summary.held_deletes},
                                 {"reason", summary.error.value_or("")}});
    if (!run.request.dry_run && observer) observer(summary, run.request.trigger);
    if (!recorded) throw Unavailable(*summary.error);
}

Task<RunSummary> Reconciler::State::run(RunRequest request, Progress* progress) {
    Run run{.request = request, .progress = progress};
    const SyncState known = co_await runs.state();
    run.summary.mode = request.mode;
    if (request.mode == RunMode::incremental) {
        if (known.watermark_ms) {
            run.watermark_ms = *known.watermark_ms;
        } else {
            run.summary.mode = RunMode::full;
        }
    }
    if (!request.dry_run) {
        co_await runs.bury_killed();
        run.summary.run = co_await runs.begin(run.summary.mode, request.trigger, "", request.by);
    }
    Pass pass(co_await asio::this_coro::executor, parts, run.summary, request.dry_run, progress);
    if (const auto ended = co_await jobs::caught(both(run, pass)); !ended) {
        log::warn("sync_run_broken", {{"reason", ended.error().message}});
        broken(pass, ended.error());
    }
    pass.report_progress();
    co_await end(run, pass);
    co_return run.summary;
}

Task<> Reconciler::State::run(RunRequest request, Progress* progress, RunSummary& end) {
    end = co_await run(request, progress);
}

Task<> Reconciler::State::approve(std::int64_t run, Actor by, std::optional<std::string> clerk_id,
                                  Result<HeldDecision>& decision) {
    decision = co_await held.approve(run, std::move(clerk_id), lease, std::move(by));
}

Reconciler::Reconciler(pg::Pool& pool, directory::Directory& directory, clerk::BackendApi& clerk,
                       Refresh& refresh, ReconcilerConfig config)
    : state_(std::make_unique<State>(pool, directory, clerk, refresh, std::move(config))) {}
Reconciler::~Reconciler() = default;

Task<Result<RunSummary>> Reconciler::run(RunRequest request, Progress* progress) {
    ensure(request.mode != RunMode::user, "single users are UserRefresh's");
    if (state_->running) co_return std::unexpected(busy());
    const ScopedFlag running(state_->running);
    state_->interrupted = false;
    RunSummary summary;
    const bool ours = co_await state_->lease.during(state_->run(request, progress, summary));
    if (!ours) co_return std::unexpected(busy());
    co_return summary;
}

Task<Result<HeldDecision>> Reconciler::approve_deletes(std::int64_t run, Actor by,
                                                       std::optional<std::string> clerk_id) {
    if (state_->running) co_return std::unexpected(busy());
    const ScopedFlag running(state_->running);
    Result<HeldDecision> decision;
    const bool ours = co_await state_->lease.during(
        state_->approve(run, std::move(by), std::move(clerk_id), decision));
    if (!ours) co_return std::unexpected(busy());
    co_return decision;
}

Task<Result<std::int64_t>> Reconciler::discard_deletes(std::int64_t run, Actor by,
                                                       std::optional<std::string> clerk_id) {
    co_return co_await state_->held.discard(run, std::move(clerk_id), std::move(by));
}

void Reconciler::interrupt() {
    state_->interrupted = true;
    if (state_->beat != nullptr) state_->beat->wake();
}
bool Reconciler::running() const {
    return state_->running;
}
void Reconciler::observe(RunObserver observer) {
    state_->observer = std::move(observer);
}
RunLedger& Reconciler::runs() {
    return state_->runs;
}

}  // namespace rollcall::sync
