#include "spool/spool.hpp"

#include "base/wakeup.hpp"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace rollcall::spool {
namespace {

// What may wait for the disk, beside what it is writing.
constexpr std::size_t waiting_bytes_max = std::size_t{32} * 1024 * 1024;
// Written at once at most.
constexpr std::size_t write_records_max = 512;

// A record on its way to the disk; shared by who waits for it and by the writer, since either may
// end first.
struct Waiter {
    Waiter(Executor executor, NewRecord given) : record(std::move(given)), ended(executor) {}

    [[nodiscard]] std::size_t bytes() const { return record_head_bytes + record.payload.size(); }

    NewRecord record;
    Wakeup ended;
    std::optional<Result<void>> answer;
    bool gone = false;  // nobody waits any more
};

std::unexpected<Error> too_slow() {
    return fail(ErrorCode::unavailable, "spool: the disk takes too long");
}

}  // namespace

struct Spool::State {
    State(Executor given, SpoolConfig given_config, Disk& disk)
        : executor(given),
          config(given_config),
          journal(std::move(given_config), disk),
          idle(given) {}

    [[nodiscard]] std::vector<std::shared_ptr<Waiter>> take();

    const Executor executor;
    const SpoolConfig config;
    Journal journal;   // after open(): of the thread alone
    SpoolStats stats;  // as it was told
    std::deque<std::shared_ptr<Waiter>> waiting;
    std::size_t waiting_bytes = 0;  // with those that are written
    bool writing = false;
    bool stopping = false;
    int calls = 0;  // the thread has not answered
    Wakeup idle;
};

// What goes into the next write, without those for which nobody waits any more.
std::vector<std::shared_ptr<Waiter>> Spool::State::take() {
    std::vector<std::shared_ptr<Waiter>> batch;
    std::size_t bytes = 0;
    while (!waiting.empty() && batch.size() < write_records_max && bytes < config.segment_max) {
        const auto waiter = std::move(waiting.front());
        waiting.pop_front();
        if (waiter->gone) {
            waiting_bytes -= waiter->bytes();
            continue;
        }
        bytes += waiter->bytes();
        batch.push_back(waiter);
    }
    return batch;
}

Spool::Spool(Executor executor, SpoolConfig config, Disk& disk)
    : state_(std::make_shared<State>(executor, std::move(config), disk)), thread_(1) {}

Spool::~Spool() {
    thread_.join();
}

Result<void> Spool::open(const Journal::Visit& visit) {
    auto opened = state_->journal.open(visit);
    state_->stats = state_->journal.stats();
    return opened;
}

// Does `work` on the journal, on its thread; nothing when that has not ended within `limit`. The
// loop's objects never leave the loop: the thread only carries them there and back.
template <class R, class Work>
Task<std::optional<R>> Spool::on_thread(Work work, Duration limit) {
    struct Call {
        explicit Call(Executor executor) : ended(executor) {}
        Wakeup ended;
        std::optional<R> result;
    };
    auto state = state_;  // not const: the lambdas are to move them back to the loop
    auto call = std::make_shared<Call>(state->executor);
    ++state->calls;
    asio::post(thread_, [state, call, work = std::move(work),
                         loop = asio::make_work_guard(state->executor)]() mutable {
        R result = work(state->journal);
        SpoolStats stats = state->journal.stats();
        asio::post(loop.get_executor(), [state = std::move(state), call = std::move(call),
                                         result = std::move(result), stats]() mutable {
            state->stats = stats;
            --state->calls;
            state->idle.wake();
            call->result = std::move(result);
            call->ended.wake();
        });
    });
    const auto deadline = std::chrono::steady_clock::now() + bounded(limit);
    while (!call->result) {
        const auto left = deadline - std::chrono::steady_clock::now();
        if (!co_await call->ended.wait(left) && !call->result) co_return std::nullopt;
    }
    co_return std::move(call->result);
}

Task<Result<void>> Spool::append(NewRecord record, Duration limit) {
    const auto state = state_;
    if (state->stopping) co_return fail(ErrorCode::unavailable, "spool: shutting down");
    if (record.payload.size() > record_bytes_max) {
        co_return fail(ErrorCode::invalid_input, "spool: a record that is too large");
    }
    const auto waiter = std::make_shared<Waiter>(state->executor, std::move(record));
    const std::size_t bytes = state->waiting_bytes + waiter->bytes();
    if (state->stats.bytes + bytes + segment_head_bytes > state->config.bytes_max) {
        co_return fail(ErrorCode::rate_limited, "spool: full");
    }
    if (bytes > waiting_bytes_max) co_return too_slow();
    state->waiting_bytes = bytes;
    state->waiting.push_back(waiter);
    if (!state->writing) {
        state->writing = true;
        spawn(state->executor, "spool_writer", write());
    }
    const auto deadline = std::chrono::steady_clock::now() + bounded(limit);
    while (!waiter->answer) {
        const auto left = deadline - std::chrono::steady_clock::now();
        if (co_await waiter->ended.wait(left) || waiter->answer) continue;
        waiter->gone = true;
        co_return too_slow();
    }
    co_return *std::move(waiter->answer);
}

// Until nothing waits. A disk that hangs holds it: those who wait give up, and what waits is
// bounded.
Task<> Spool::write() {
    const auto state = state_;
    for (auto batch = state->take(); !batch.empty(); batch = state->take()) {
        std::vector<NewRecord> records;
        std::size_t bytes = 0;
        for (const auto& waiter : batch) {
            bytes += waiter->bytes();
            records.push_back(std::move(waiter->record));
        }
        auto written = co_await on_thread<Result<void>>(
            [records = std::move(records)](Journal& journal) { return journal.append(records); },
            Duration::max());
        state->waiting_bytes -= bytes;
        for (const auto& waiter : batch) {
            waiter->answer = written.value_or(Result<void>(too_slow()));
            waiter->ended.wake();
        }
    }
    state->writing = false;
    state->idle.wake();
}

Task<Result<Batch>> Spool::oldest(std::size_t records_max, Duration limit) {
    auto batch = co_await on_thread<Result<Batch>>(
        [records_max](Journal& journal) { return journal.oldest(records_max); }, limit);
    if (!batch) co_return too_slow();
    co_return *std::move(batch);
}

Task<Result<void>> Spool::done(Batch batch, bool keep, Duration limit) {
    const auto ended = co_await on_thread<Result<void>>(
        [batch = std::move(batch), keep](Journal& journal) { return journal.done(batch, keep); },
        limit);
    if (!ended) co_return too_slow();
    co_return *ended;
}

Task<Result<SpoolStats>> Spool::survey(Duration limit) {
    const auto stats = co_await on_thread<SpoolStats>(
        [](Journal& journal) {
            journal.survey();
            return journal.stats();
        },
        limit);
    if (!stats) co_return too_slow();
    co_return *stats;
}

const SpoolStats& Spool::stats() const {
    return state_->stats;
}

Task<bool> Spool::stop(Duration limit) {
    const auto state = state_;
    state->stopping = true;
    const auto deadline = std::chrono::steady_clock::now() + bounded(limit);
    while (state->writing || state->calls > 0) {
        const auto left = deadline - std::chrono::steady_clock::now();
        if (!co_await state->idle.wait(left)) break;
    }
    co_return !state->writing && state->calls == 0;
}

}  // namespace rollcall::spool
