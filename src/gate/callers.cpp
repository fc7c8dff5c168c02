#include "gate/callers.hpp"

#include "base/failpoint.hpp"
#include "base/log.hpp"
#include "base/wakeup.hpp"
#include "gate/caller_memory.hpp"
#include "gate/caller_metrics.hpp"
#include "jobs/work_loop.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace rollcall::gate {
namespace {

using directory::StandingAsked;
using directory::StandingsRead;
using Record = std::shared_ptr<CallerRecord>;
using From = CallerMetrics::From;

// How often the age of synchronisation is asked for at most.
constexpr std::chrono::milliseconds age_interval{500};
// A caller asks again when an answer came that was asked for too early.
constexpr int rounds_max = 3;

// An answer is wanted as of this time, of a question that began after that one.
struct Wanted {
    SteadyTime since;
    std::uint64_t after = 0;
};

// Nobody to be found in the table: a deletion is known, and an answer.
bool unknown(const directory::Standing& standing) {
    return standing.user_id.empty() && !standing.deleted;
}

}  // namespace

struct Callers::State : std::enable_shared_from_this<Callers::State> {
    State(Executor given_executor, CallersConfig given, Read given_read, const Clock& given_clock,
          MetricsRegistry& registry)
        : executor(given_executor),
          config(given),
          read(std::move(given_read)),
          clock(given_clock),
          memory(config.entries_max),
          metrics(registry),
          idle(executor) {}

    [[nodiscard]] Record use(std::string_view clerk_id, std::string_view session_id);
    // From memory alone.
    std::optional<Caller> at_hand(const Record& record, const Wanted& wanted, From from,
                                  SteadyTime now);
    std::optional<Caller> known(std::string_view clerk_id, std::string_view session_id,
                                SteadyTime now);
    Task<Result<Caller>> look(Record record, Wanted wanted);
    void fetch_unlisted(std::string_view clerk_id, const directory::Standing& standing);
    [[nodiscard]] std::optional<Caller> remembered(const CallerRecord& record, SteadyTime now);
    [[nodiscard]] Caller caller_of(const CallerRecord& record, SteadyTime now, bool confirmed);
    [[nodiscard]] static bool fulfils(const CallerRecord& record, const Wanted& wanted) {
        return record.standing && record.asked_at >= wanted.since && record.question > wanted.after;
    }
    void ask(const Record& record, const Wanted& wanted);
    // What was committed before this call is seen.
    [[nodiscard]] Wanted anew() const { return {.since = {}, .after = questions}; }
    Task<> wait_for(Record record, Duration limit);
    static Task<> pump(std::shared_ptr<State> self);
    std::vector<Record> next_batch();
    Task<> question(const std::vector<Record>& batch, SteadyTime asked_at);
    void take(const std::vector<Record>& batch, SteadyTime asked_at, StandingsRead answer);
    void fail(const std::vector<Record>& batch, const Error& why);
    Task<bool> await_webhook(std::string clerk_id);

    Executor executor;
    CallersConfig config;
    Read read;
    const Clock& clock;
    CallerMemory memory;
    CallerMetrics metrics;
    std::unique_ptr<Provisioning> provisioning;
    std::vector<Record> due;  // to be asked for
    std::size_t waiting = 0;
    bool pumping = false;
    std::uint64_t questions = 0;  // the number of the one under way, or of the last
    SteadyTime question_at;       // when it began
    bool stopping = false;
    bool away = false;
    SteadyTime next_try;  // while away
    std::optional<Duration> sync_age;
    SteadyTime sync_age_at;
    Wakeup idle;
};

Caller Callers::State::caller_of(const CallerRecord& record, SteadyTime now, bool confirmed) {
    Caller caller{.standing = *record.standing, .confirmed = confirmed, .sync_age = std::nullopt};
    if (sync_age) caller.sync_age = *sync_age + (now - sync_age_at);
    return caller;
}

// While the database is away. An unknown user is asked for when it is back.
std::optional<Caller> Callers::State::remembered(const CallerRecord& record, SteadyTime now) {
    if (!away || !record.standing || unknown(*record.standing)) return std::nullopt;
    if (now - record.asked_at > config.outage_max) return std::nullopt;
    return caller_of(record, now, false);
}

// Into the next statement. While the database is away only now and then.
void Callers::State::ask(const Record& record, const Wanted& wanted) {
    if (record->asking && question_at >= wanted.since && questions > wanted.after) return;
    if (stopping || (away && clock.steady() < next_try)) return;
    if (!record->waits) {
        record->waits = true;
        due.push_back(record);
    }
    if (pumping) return;
    pumping = true;
    spawn(executor, "gate_callers", pump(shared_from_this()));
}

Task<> Callers::State::wait_for(Record record, Duration limit) {
    const auto answered = std::make_shared<Wakeup>(executor);
    record->waiters.push_back(answered);
    ++waiting;
    co_await answered->wait(limit);
    --waiting;
}

Record Callers::State::use(std::string_view clerk_id, std::string_view session_id) {
    Record record = memory.use(clerk_id, session_id);
    metrics.remembered(memory.size(), memory.evicted());
    return record;
}

std::optional<Caller> Callers::State::at_hand(const Record& record, const Wanted& wanted, From from,
                                              SteadyTime now) {
    if (!fulfils(*record, wanted)) return std::nullopt;
    if (now - record->asked_at >= config.ahead_after) ask(record, wanted);
    metrics.answered(from);
    return caller_of(*record, now, true);
}

// A row that was there before: Clerk's word of bans is fetched meanwhile.
void Callers::State::fetch_unlisted(std::string_view clerk_id,
                                    const directory::Standing& standing) {
    if (!standing.listed && !standing.deleted && !stopping) {
        provisioning->begin(std::string(clerk_id));
    }
}

std::optional<Caller> Callers::State::known(std::string_view clerk_id, std::string_view session_id,
                                            SteadyTime now) {
    const Record record = use(clerk_id, session_id);
    if (!record->standing || (unknown(*record->standing) && !stopping)) return std::nullopt;
    const Wanted wanted{.since = now - config.fresh_for};
    auto caller = at_hand(record, wanted, From::memory, now);
    if (caller) fetch_unlisted(clerk_id, caller->standing);
    return caller;
}

Task<Result<Caller>> Callers::State::look(Record record, Wanted wanted) {
    const auto self = shared_from_this();
    const auto end = std::chrono::steady_clock::now() + config.wait;
    for (int round = 0; round < rounds_max; ++round) {
        const SteadyTime now = clock.steady();
        const From from = round == 0 ? From::memory : From::database;
        if (auto caller = at_hand(record, wanted, from, now)) co_return *std::move(caller);
        ask(record, wanted);
        if (auto caller = remembered(*record, now)) {
            metrics.answered(From::outage);
            co_return *std::move(caller);
        }
        const Duration left = end - std::chrono::steady_clock::now();
        const bool asked = record->waits || record->asking;
        if (!asked || waiting >= config.waiters_max || left <= Duration::zero()) break;
        co_await wait_for(record, left);
    }
    // It did not answer in time, though nobody knows yet that it is away.
    const SteadyTime now = clock.steady();
    if (fulfils(*record, wanted)) {
        metrics.answered(From::database);
        co_return caller_of(*record, now, true);
    }
    const bool known = record->standing && !unknown(*record->standing) &&
                       now - record->asked_at <= config.outage_max;
    if (known && waiting < config.waiters_max) {
        metrics.answered(From::outage);
        co_return caller_of(*record, now, false);
    }
    metrics.answered(From::none);
    co_return rollcall::fail(ErrorCode::unavailable, "the database does not say who the caller is");
}

std::vector<Record> Callers::State::next_batch() {
    std::vector<Record> batch;
    if (due.size() <= config.batch_max) {
        batch.swap(due);
    } else {
        const auto end = due.begin() + static_cast<std::ptrdiff_t>(config.batch_max);
        batch.assign(due.begin(), end);
        due.erase(due.begin(), end);
    }
    for (const Record& record : batch) {
        record->waits = false;
        record->asking = true;
    }
    return batch;
}

Task<> Callers::State::question(const std::vector<Record>& batch, SteadyTime asked_at) {
    failpoint("decide.before_question");
    const bool with_age = !sync_age || asked_at - sync_age_at >= Duration(age_interval);
    std::vector<StandingAsked> asked;
    asked.reserve(batch.size());
    for (const Record& record : batch) {
        asked.push_back({.clerk_id = record->clerk_id, .session_id = record->session_id});
    }
    auto answer = co_await read(asked, with_age);
    failpoint("decide.after_question");
    take(batch, asked_at, std::move(answer));
}

// One statement after the other for as long as somebody is due: what comes while one is under way
// goes together in the next.
Task<> Callers::State::pump(std::shared_ptr<State> self) {
    co_await asio::post(self->executor, use_task);  // whoever else is here by now comes along
    while (!self->due.empty() && !self->stopping) {
        const std::vector<Record> batch = self->next_batch();
        const SteadyTime asked_at = self->clock.steady();
        self->question_at = asked_at;
        ++self->questions;
        const auto begun = std::chrono::steady_clock::now();
        const auto done = co_await jobs::caught(self->question(batch, asked_at));
        self->metrics.asked(std::chrono::steady_clock::now() - begun, batch.size(),
                            done.has_value());
        if (!done) self->fail(batch, done.error());
    }
    self->pumping = false;
    self->idle.wake();
}

void Callers::State::take(const std::vector<Record>& batch, SteadyTime asked_at,
                          StandingsRead answer) {
    if (away) log::info("gate_callers_recovered");
    away = false;
    if (answer.sync_age_seconds) {
        sync_age = std::chrono::duration_cast<Duration>(
            std::chrono::duration<double>(std::min(*answer.sync_age_seconds, 1e9)));
        sync_age_at = asked_at;
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
        CallerRecord& record = *batch[i];
        directory::Standing& standing = answer.standings[i];
        const bool was_in = record.standing && !record.standing->revoked_for;
        if (was_in && standing.revoked_for) metrics.revoked_after(*standing.revoked_for);
        record.standing = std::move(standing);
        record.asked_at = asked_at;
        record.asking = false;
        record.question = questions;
        for (const auto& waiter : std::exchange(record.waiters, {})) waiter->wake();
    }
}

// Who waits for any answer is told that there is none: each goes by what is known.
void Callers::State::fail(const std::vector<Record>& batch, const Error& why) {
    if (!away) log::warn("gate_callers_failing", {{"reason", why.message}});
    away = true;
    next_try = clock.steady() + config.retry_after;
    std::vector<Record> all = std::exchange(due, {});
    all.insert(all.end(), batch.begin(), batch.end());
    for (const Record& record : all) {
        record->waits = false;
        record->asking = false;
        for (const auto& waiter : std::exchange(record->waiters, {})) waiter->wake();
    }
}

Task<bool> Callers::State::await_webhook(std::string clerk_id) {
    const auto self = shared_from_this();
    const auto end = std::chrono::steady_clock::now() + config.webhook_wait;
    while (std::chrono::steady_clock::now() < end && !stopping) {
        co_await sleep(config.webhook_look);
        const auto caller = co_await look(use(clerk_id, ""), anew());
        if (caller && caller->confirmed && !unknown(caller->standing)) co_return true;
    }
    co_return false;
}

Callers::Callers(Executor executor, CallersConfig config, Read read, Provisioning::Fetch fetch,
                 const Clock& clock, MetricsRegistry& registry)
    : state_(std::make_shared<State>(executor, config, std::move(read), clock, registry)) {
    if (!fetch) {
        fetch = [weak = std::weak_ptr(state_)](std::string clerk_id) -> Task<bool> {
            const auto state = weak.lock();
            if (state == nullptr) co_return false;
            co_return co_await state->await_webhook(std::move(clerk_id));
        };
        // These wait only, for the database.
        config.provisioning.at_once = config.provisioning.users_max;
    }
    state_->provisioning = std::make_unique<Provisioning>(executor, config.provisioning,
                                                          std::move(fetch), clock, registry);
}

Callers::~Callers() {
    state_->stopping = true;
}

std::optional<Caller> Callers::known(std::string_view clerk_id, std::string_view session_id,
                                     SteadyTime now) {
    return state_->known(clerk_id, session_id, now);
}

Task<Result<Caller>> Callers::find(std::string clerk_id, std::string session_id) {
    const auto state = state_;
    const SteadyTime now = state->clock.steady();
    if (auto known = state->known(clerk_id, session_id, now)) co_return *std::move(known);
    const Wanted wanted{.since = now - state->config.fresh_for};
    const Record record = state->use(clerk_id, session_id);
    auto caller = co_await state->look(record, wanted);
    if (!caller || !caller->confirmed || state->stopping) co_return caller;
    if (!unknown(caller->standing)) {
        state->fetch_unlisted(clerk_id, caller->standing);
        co_return caller;
    }
    const Provisioned provisioned = co_await state->provisioning->user(clerk_id);
    if (provisioned != Provisioned::done) co_return caller;
    auto again = co_await state->look(record, state->anew());
    if (again && again->confirmed && unknown(again->standing)) {
        state->provisioning->refuse(clerk_id);
    }
    co_return again;
}

Task<bool> Callers::stop(Duration limit) {
    const auto state = state_;
    state->stopping = true;
    const auto end = std::chrono::steady_clock::now() + bounded(limit);
    while (state->pumping) {
        const Duration left = end - std::chrono::steady_clock::now();
        if (left <= Duration::zero()) co_return false;
        co_await state->idle.wait(left);
    }
    co_return true;
}

}  // namespace rollcall::gate
