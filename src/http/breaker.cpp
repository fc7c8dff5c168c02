#include "http/breaker.hpp"

#include "base/result.hpp"

#include <algorithm>

namespace rollcall::http {
namespace {

// How soon to look again whether a probe has ended.
constexpr std::chrono::milliseconds probe_interval{100};

}  // namespace

Breaker::Breaker(BreakerConfig config) : config_(config), open_for_(config.open_min) {
    ensure(config.failures_max > 0, "breaker: at least one failure");
    ensure(config.open_min.count() > 0 && config.open_min <= config.open_max,
           "breaker: open_min above 0 and not above open_max");
}

Breaker::Admission Breaker::admit(SteadyTime now) {
    if (state_ == State::open && now >= until_) enter(State::half_open);
    if (state_ == State::closed) return {.admitted = true, .pass = {era_}};
    if (state_ == State::half_open && (!probing_ || now >= until_)) {
        ++era_;  // a probe that never reported must not be mixed up with this one
        probing_ = true;
        until_ = now + config_.probe_max;
        return {.admitted = true, .pass = {era_}};
    }
    return {.wait = wait(now)};
}

std::chrono::milliseconds Breaker::wait(SteadyTime now) const {
    using std::chrono::milliseconds;
    if (state_ == State::closed || now >= until_) return milliseconds::zero();
    const auto left = std::chrono::ceil<milliseconds>(until_ - now);
    if (state_ == State::open) return left;
    return probing_ ? std::min(left, probe_interval) : milliseconds::zero();
}

void Breaker::succeeded(Pass pass) {
    if (pass.era != era_) return;
    failures_ = 0;
    if (state_ != State::half_open) return;
    open_for_ = config_.open_min;
    enter(State::closed);
}

void Breaker::failed(Pass pass, SteadyTime now) {
    if (pass.era != era_) return;
    if (state_ == State::half_open || ++failures_ >= config_.failures_max) open(now);
}

void Breaker::abandoned(Pass pass) {
    if (pass.era == era_) probing_ = false;
}

void Breaker::open(SteadyTime now) {
    enter(State::open);
    until_ = now + open_for_;
    open_for_ = std::min(open_for_ * 2, config_.open_max);
}

void Breaker::enter(State state) {
    state_ = state;
    ++era_;
    failures_ = 0;
    probing_ = false;
    ++entered_[static_cast<std::size_t>(state)];
}

std::string_view to_string(Breaker::State state) {
    switch (state) {
        case Breaker::State::closed:
            return "closed";
        case Breaker::State::half_open:
            return "half_open";
        case Breaker::State::open:
            return "open";
    }
    return "";
}

}  // namespace rollcall::http
