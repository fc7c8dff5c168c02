#include "webhooks/intake.hpp"

#include "base/failpoint.hpp"
#include "base/wakeup.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <deque>
#include <exception>
#include <optional>
#include <utility>

namespace rollcall::webhooks {
namespace {

// One event on its way to its commit. Shared by the request that waits for it and by its batch,
// since either may end first.
struct Waiter {
    Waiter(Executor executor, EventJob given) : job(std::move(given)), deadline(executor) {}

    EventJob job;
    SteadyTimer deadline;
    std::optional<Result<Stored>> answer;
    std::exception_ptr failure;
    bool gone = false;  // nobody waits any more

    [[nodiscard]] bool done() const { return answer || failure; }
    void finish(Result<Stored> with) {
        answer = std::move(with);
        deadline.cancel();
    }
    void finish(std::exception_ptr with) {
        failure = std::move(with);
        deadline.cancel();
    }
};
using WaiterPtr = std::shared_ptr<Waiter>;
using Batch = std::vector<WaiterPtr>;

// Fewer events are not worth a commit of their own.
constexpr std::size_t share_min = 16;

std::unexpected<Error> unavailable(std::string message) {
    return fail(ErrorCode::unavailable, std::move(message));
}

}  // namespace

struct Intake::State : std::enable_shared_from_this<State> {
    State(Executor given_executor, const WebhookConfig& given_config, Enqueue given_enqueue,
          prometheus::Histogram& given_batch_events)
        : executor(given_executor),
          config(given_config),
          enqueue(std::move(given_enqueue)),
          batch_events(given_batch_events),
          lane_ended(given_executor) {}

    void admit(WaiterPtr waiter);
    void schedule();
    void start_lanes();
    Batch take();
    void forget_gone();
    Task<> run_lane(std::shared_ptr<const Batch> batch);
    void lane_finished(const Batch& batch, const std::exception_ptr& failure);
    Task<Result<std::vector<jobs::Enqueued>>> insert(std::span<const WaiterPtr> batch);

    const Executor executor;
    const WebhookConfig config;
    const Enqueue enqueue;
    prometheus::Histogram& batch_events;
    std::deque<WaiterPtr> waiting;
    std::size_t lanes_busy = 0;
    std::size_t in_flight = 0;  // events in the lanes
    bool scheduled = false;
    bool stopping = false;
    Wakeup lane_ended;
};

void Intake::State::admit(WaiterPtr waiter) {
    waiter->deadline.expires_after(config.answer_timeout);
    waiting.push_back(std::move(waiter));
    schedule();
}

// Not at once: the requests that the event loop has already read go into the same batch.
void Intake::State::schedule() {
    if (scheduled || lanes_busy >= config.lanes) return;
    scheduled = true;
    asio::post(executor, [self = shared_from_this()] {
        self->scheduled = false;
        self->start_lanes();
    });
}

void Intake::State::start_lanes() {
    while (lanes_busy < config.lanes) {
        const auto batch = std::make_shared<const Batch>(take());
        if (batch->empty()) return;
        ++lanes_busy;
        in_flight += batch->size();
        asio::co_spawn(executor, run_lane(batch),
                       [self = shared_from_this(), batch](const std::exception_ptr& failure) {
                           self->lane_finished(*batch, failure);
                       });
    }
}

// A lane's even share of what waits and what is under way: were one lane to take all that waits,
// the others would find nothing until its answers have brought new requests, and the service and
// the database would work in turn instead of at once.
Batch Intake::State::take() {
    const std::size_t all = waiting.size() + in_flight;
    const std::size_t share = std::max((all + config.lanes - 1) / config.lanes, share_min);
    const std::size_t most = std::min(share, config.batch_max);
    Batch batch;
    while (batch.size() < most && !waiting.empty()) {
        if (!waiting.front()->gone) batch.push_back(std::move(waiting.front()));
        waiting.pop_front();
    }
    return batch;
}

// All wait equally long, so those that gave up stand in front.
void Intake::State::forget_gone() {
    while (!waiting.empty() && waiting.front()->gone) waiting.pop_front();
}

Task<Result<std::vector<jobs::Enqueued>>> Intake::State::insert(std::span<const WaiterPtr> batch) {
    std::vector<jobs::NewJob> rows;
    rows.reserve(batch.size());
    for (const WaiterPtr& waiter : batch) {
        rows.push_back(waiter->job.view());
        if (!config.refresh_users) rows.back().refresh.reset();
    }
    batch_events.Observe(static_cast<double>(rows.size()));
    failpoint("intake.before_commit");
    auto stored = co_await enqueue(rows);
    failpoint("intake.after_commit");
    co_return stored;
}

// A batch of which the database refuses something is halved until the event that it refuses stands
// alone; that one is kept for a person, and where even that is refused its sender is told.
Task<> Intake::State::run_lane(std::shared_ptr<const Batch> batch) {
    std::vector<std::span<const WaiterPtr>> parts{*batch};
    while (!parts.empty()) {
        const std::span<const WaiterPtr> part = parts.back();
        parts.pop_back();
        auto stored = co_await insert(part);
        if (stored) {
            ensure(stored->size() == part.size(), "an answer for each job");
            for (std::size_t i = 0; i < part.size(); ++i) {
                jobs::Enqueued& one = (*stored)[i];
                part[i]->finish(Stored{.job_id = std::move(one.id),
                                       .duplicate = one.duplicate,
                                       .for_review = !part[i]->job.error.empty()});
            }
            continue;
        }
        const bool refused = stored.error().code != ErrorCode::unavailable;
        if (refused && part.size() > 1) {
            parts.push_back(part.subspan(part.size() / 2));
            parts.push_back(part.first(part.size() / 2));
        } else if (refused && part[0]->job.error.empty()) {
            make_reviewable(part[0]->job);
            parts.push_back(part);
        } else {
            for (const WaiterPtr& waiter : part) {
                waiter->finish(std::unexpected(stored.error()));
            }
        }
    }
}

void Intake::State::lane_finished(const Batch& batch, const std::exception_ptr& failure) {
    for (const WaiterPtr& waiter : batch) {
        if (!waiter->done()) waiter->finish(failure);
    }
    --lanes_busy;
    in_flight -= batch.size();
    lane_ended.wake();
    if (!waiting.empty()) schedule();
}

Intake::Intake(Executor executor, const WebhookConfig& config, Enqueue enqueue,
               MetricsRegistry& metrics)
    : state_(std::make_shared<State>(
          executor, config, std::move(enqueue),
          metrics.histogram("rollcall_webhook_batch_events", "Events stored by one INSERT")
              .Add({}, prometheus::Histogram::BucketBoundaries{1, 2, 4, 8, 16, 32, 64}))) {
    ensure(config.lanes > 0 && config.batch_max > 0, "an intake with room");
}

Intake::~Intake() = default;

Task<Result<Stored>> Intake::store(EventJob job) {
    const std::shared_ptr<State> state = state_;
    state->forget_gone();
    if (state->stopping) co_return unavailable("shutting down");
    if (state->waiting.size() >= state->config.waiting_max) {
        co_return unavailable("too many events wait for their commit");
    }
    const auto waiter = std::make_shared<Waiter>(state->executor, std::move(job));
    state->admit(waiter);
    if (!waiter->done()) {
        boost::system::error_code ignored;
        co_await waiter->deadline.async_wait(asio::redirect_error(use_task, ignored));
    }
    if (waiter->failure) std::rethrow_exception(waiter->failure);
    if (waiter->answer) co_return *std::move(waiter->answer);
    waiter->gone = true;
    co_return unavailable("the commit takes too long");
}

Task<> Intake::stop() {
    const std::shared_ptr<State> state = state_;
    state->stopping = true;
    while (state->lanes_busy > 0 || !state->waiting.empty()) {
        state->forget_gone();
        co_await state->lane_ended.wait(std::chrono::milliseconds(100));
    }
}

}  // namespace rollcall::webhooks
