#include "http/pacer.hpp"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <list>
#include <string>

namespace rollcall::http {

// Shared with the calls that wait, which may outlive the pacer when the event loop is torn down.
struct Pacer::State {
    State(Executor e, RateLimit l, std::size_t max)
        : executor(e), limit(l), bucket(l, real_clock().steady()), waiting_max(max) {}

    Executor executor;
    RateLimit limit;
    TokenBucket bucket;
    std::size_t waiting_max;
    std::list<SteadyTimer*> line;
};

namespace {

using std::chrono::milliseconds;

std::unexpected<Error> too_late(milliseconds wait) {
    return fail(ErrorCode::rate_limited, "the quota of calls has room in " +
                                             std::to_string(wait.count()) +
                                             " ms only: longer than this call may take");
}

// A place in the line. Whoever leaves it, in whatever way, lets the next one look.
template <class State>
class Place {
public:
    explicit Place(std::shared_ptr<State> state)
        : state_(std::move(state)), timer_(state_->executor) {
        state_->line.push_back(&timer_);
    }
    ~Place() {
        const bool was_first = first();
        state_->line.remove(&timer_);
        if (was_first && !state_->line.empty()) state_->line.front()->cancel();
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    [[nodiscard]] bool first() const { return state_->line.front() == &timer_; }
    [[nodiscard]] SteadyTimer& timer() { return timer_; }

private:
    std::shared_ptr<State> state_;
    SteadyTimer timer_;
};

}  // namespace

Pacer::Pacer(Executor executor, RateLimit limit, std::size_t waiting_max)
    : state_(std::make_shared<State>(executor, limit, waiting_max)) {}

Task<Result<void>> Pacer::turn(SteadyTime deadline) {
    const auto state = state_;
    SteadyTime now = real_clock().steady();
    if (state->line.empty() && state->bucket.take(state->limit, now).count() == 0) {
        co_return Result<void>();
    }
    if (state->line.size() >= state->waiting_max) {
        co_return fail(ErrorCode::rate_limited, "too many calls wait for the quota already");
    }
    Place<State> place(state);
    for (;; now = real_clock().steady()) {
        // Those behind the first can only know that it will not be sooner than this.
        const auto wait = place.first()
                              ? state->bucket.take(state->limit, now)
                              : std::max(state->bucket.peek(state->limit, now), milliseconds(1));
        if (wait.count() == 0) co_return Result<void>();
        if (now + wait > deadline) co_return too_late(wait);
        place.timer().expires_at(place.first() ? now + wait : deadline);
        boost::system::error_code ignored;
        co_await place.timer().async_wait(asio::redirect_error(use_task, ignored));
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != asio::cancellation_type::none) {
            throw Unavailable("cancelled while waiting for the quota");
        }
    }
}

void Pacer::hold_until(SteadyTime until) {
    state_->bucket.hold_until(state_->limit, until);
}

std::size_t Pacer::waiting() const {
    return state_->line.size();
}

std::function<double()> Pacer::gauge() const {
    return [state = state_] { return state->bucket.left(state->limit, real_clock().steady()); };
}

}  // namespace rollcall::http
