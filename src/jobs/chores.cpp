#include "jobs/chores.hpp"

#include "base/log.hpp"
#include "base/result.hpp"
#include "jobs/sql.hpp"

#include <fmt/format.h>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace rollcall::jobs {

using Steady = std::chrono::steady_clock;

namespace {

// As many as one rescue takes at most (jobs.sql).
constexpr int rescue_batch = 1000;
// More deletions than this since the last look are not named: the sweep asks the ledger itself.
constexpr int deleted_max = 5000;
// A sweep works this long, then leaves the database alone for four times as long.
constexpr std::chrono::milliseconds sweep_burst{50};
// The first whole sweep after taking the duty: not at once, so that a start is no burden.
constexpr std::chrono::milliseconds first_sweep = std::chrono::minutes(5);

// What a sweep is about and how far it is.
struct Sweep {
    bool everything = false;  // all whom the ledger knows as deleted, not just `deleted`
    std::vector<std::string> deleted;
    std::int64_t page = 0;
    std::int64_t pages = 0;
    Chores::Swept done;
};

}  // namespace

struct Chores::State {
    State(Executor executor, pg::Pool& p, ChoresConfig c, Metrics& m);

    Task<int> pass();
    [[nodiscard]] Duration until_next() const;
    void took_duty();
    void lost_duty();
    Task<int> rescue();
    Task<> sample();
    Task<> look_for_deletions();
    Task<> begin(Sweep next);
    Task<bool> step(Sweep& of);  // one piece; false when that was the last
    Task<> sweep_for_a_while();

    pg::Pool& pool;
    ChoresConfig config;
    Metrics& metrics;
    Lease lease;
    bool leading = false;

    Steady::time_point renew_at;
    Steady::time_point rescue_at;
    Steady::time_point sample_at;
    Steady::time_point look_at;
    Steady::time_point whole_at;  // the next sweep for everything
    Steady::time_point piece_at;  // the next piece of the sweep that is under way

    std::optional<Sweep> sweep;
    std::string looked_until;       // the database's clock; "" before the first look
    std::set<std::string> covered;  // deletions in reach of the next look that were swept for

    WorkLoop loop;
};

Chores::State::State(Executor executor, pg::Pool& p, ChoresConfig c, Metrics& m)
    : pool(p),
      config(std::move(c)),
      metrics(m),
      lease(p, "chores", config.holder, config.lease),
      loop(executor, {.name = "chores", .poll_interval = [this] { return until_next(); }},
           [this] { return pass(); }) {
    ensure(config.sweep_pages > 0 && config.attempts_max > 0, "chores: pages and attempts");
}

Duration Chores::State::until_next() const {
    auto next = renew_at;
    if (leading) next = std::min({next, rescue_at, sample_at});
    if (leading) next = sweep ? std::min(next, piece_at) : std::min({next, look_at, whole_at});
    return std::max<Duration>(next - Steady::now(), std::chrono::milliseconds(1));
}

void Chores::State::took_duty() {
    const auto now = Steady::now();
    log::info("chores_duty_taken", {{"fence", lease.fence()}});
    leading = true;
    rescue_at = sample_at = look_at = now;
    whole_at = now + std::min(first_sweep, config.sweep_interval);
    sweep.reset();
    looked_until.clear();
    covered.clear();
    metrics.leader("chores", true);
}

void Chores::State::lost_duty() {
    log::info("chores_duty_lost");
    leading = false;
    metrics.leader("chores", false);
    // Another instance tells these now.
    metrics.depth(queue_users, {});
    metrics.depth(queue_effects, {});
    metrics.depth(queue_mirror, {});
}

Task<int> Chores::State::pass() {
    if (Steady::now() >= renew_at) {
        const auto fence = lease.fence();
        const bool held = co_await lease.hold();
        renew_at = Steady::now() + config.lease / 3;
        if (leading && (!held || lease.fence() != fence)) lost_duty();
        if (!leading && held) took_duty();
    }
    if (!leading || !lease.held()) co_return 0;
    if (Steady::now() >= rescue_at) {
        rescue_at = Steady::now() + config.rescue_interval;
        co_await rescue();
    }
    if (Steady::now() >= sample_at) {
        sample_at = Steady::now() + config.sample_interval;
        co_await sample();
    }
    if (Steady::now() >= look_at && !sweep) {
        look_at = Steady::now() + config.deleted_interval;
        co_await look_for_deletions();
    }
    if (Steady::now() >= whole_at && !sweep) co_await begin({.everything = true});
    if (sweep && Steady::now() >= piece_at) co_await sweep_for_a_while();
    co_return 0;
}

Task<int> Chores::State::rescue() {
    int total = 0;
    int given_up = 0;
    for (int found = rescue_batch; found == rescue_batch;) {
        pg::Params params;
        params.integer(config.attempts_max);
        const pg::Rows rows = co_await pool.execute(sql::rescue, params);
        found = rows.size();
        total += found;
        for (int row = 0; row < found; ++row) {
            const auto kind = rows.text(row, rows.column("job_type"));
            const auto attempts = static_cast<int>(rows.bigint(row, rows.column("attempts")));
            const bool dead = rows.text(row, rows.column("status")) == "FAILED";
            given_up += dead ? 1 : 0;
            metrics.rescued(queue_of(kind), 1);
            metrics.ended(kind, dead ? Metrics::Ending::dead : Metrics::Ending::retry, attempts);
            log::debug("job_rescued", {{"job_id", rows.text(row, rows.column("id"))},
                                       {"kind", kind_label(kind)},
                                       {"attempt", attempts},
                                       {"given_up", dead}});
        }
    }
    if (total > 0) log::warn("jobs_rescued", {{"jobs", total}, {"given_up", given_up}});
    co_return total;
}

Task<> Chores::State::sample() {
    const pg::Rows rows = co_await pool.execute(sql::depth);
    for (int row = 0; row < rows.size(); ++row) {
        const auto value = [&](std::string_view name) {
            return rows.number(row, rows.column(name));
        };
        metrics.depth(rows.text(row, rows.column("queue")),
                      {.ready = value("ready"),
                       .scheduled = value("scheduled"),
                       .running = value("running"),
                       .retry = value("retry"),
                       .dead = value("dead"),
                       .oldest_ready_age_seconds = value("oldest_seconds")});
    }
}

// Users who were deleted since the last look: their finished jobs are blanked by a sweep now.
Task<> Chores::State::look_for_deletions() {
    const pg::Rows clock = co_await pool.execute(sql::database_now);
    pg::Params params;
    params.text(looked_until.empty() ? std::nullopt : std::optional<std::string_view>(looked_until))
        .integer(deleted_max);
    const pg::Rows rows = co_await pool.execute(sql::deleted_since, params);
    Sweep next;
    next.everything = rows.size() == deleted_max;
    std::set<std::string> seen;
    for (int row = 0; row < rows.size(); ++row) {
        std::string subject(rows.text(row, 0));
        if (!covered.contains(subject)) next.deleted.push_back(subject);
        seen.insert(std::move(subject));
    }
    covered = std::move(seen);
    looked_until = clock.text(0, 0);
    if (next.deleted.empty()) co_return;
    if (next.everything) next.deleted.clear();
    co_await begin(std::move(next));
}

Task<> Chores::State::begin(Sweep next) {
    const pg::Rows size = co_await pool.execute(sql::table_pages);
    next.pages = size.bigint(0, 0);
    sweep = std::move(next);
    piece_at = Steady::now();
}

Task<bool> Chores::State::step(Sweep& of) {
    const std::vector<std::optional<std::string_view>> deleted(of.deleted.begin(),
                                                               of.deleted.end());
    pg::Params params;
    params.text(fmt::format("({},0)", of.page))
        .text(fmt::format("({},0)", of.page + config.sweep_pages))
        .text_array(deleted)
        .boolean(of.everything)
        .bigint(config.keep_completed.count())
        .bigint(config.keep_cancelled.count())
        .bigint(config.keep_failed.count())
        .bigint(config.keep_personal_completed.count())
        .bigint(config.keep_personal_failed.count());
    const pg::Rows rows = co_await pool.execute(sql::sweep, params);
    of.done.pruned += rows.bigint(0, 0);
    of.done.blanked += rows.bigint(0, 1);
    of.page += config.sweep_pages;
    if (of.page < of.pages) co_return true;
    if (of.done.pruned + of.done.blanked > 0) {
        log::info("jobs_swept", {{"pruned", of.done.pruned},
                                 {"blanked", of.done.blanked},
                                 {"pages", of.pages},
                                 {"deleted_users", of.deleted.size()}});
    }
    co_return false;
}

Task<> Chores::State::sweep_for_a_while() {
    const auto begun = Steady::now();
    bool more = true;
    while (more && lease.held() && Steady::now() - begun < sweep_burst) {
        more = co_await step(*sweep);
    }
    const auto now = Steady::now();
    piece_at = now + 4 * (now - begun);
    if (more) co_return;
    if (sweep->everything) whole_at = now + config.sweep_interval;
    sweep.reset();
}

Chores::Chores(Executor executor, pg::Pool& pool, ChoresConfig config, Metrics& metrics)
    : state_(std::make_unique<State>(executor, pool, std::move(config), metrics)) {}

Chores::~Chores() = default;

void Chores::start() {
    state_->loop.start();
}

Task<> Chores::stop() {
    co_await state_->loop.stop();
    if (state_->leading) state_->lost_duty();
    co_await guarded("chores_duty_not_released", state_->lease.release());
}

Task<int> Chores::rescue() {
    co_return co_await state_->rescue();
}

Task<Chores::Swept> Chores::sweep() {
    Sweep whole{.everything = true};
    const pg::Rows size = co_await state_->pool.execute(sql::table_pages);
    whole.pages = size.bigint(0, 0);
    while (co_await state_->step(whole)) {
    }
    co_return whole.done;
}

Task<> Chores::sample() {
    co_await state_->sample();
}

}  // namespace rollcall::jobs
