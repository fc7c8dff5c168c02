// A circuit breaker: whether an upstream may be asked, by how the last calls of it ended. Pure:
// time is passed in. Closed: all go. After `failures_max` failures in a row it is open: none goes,
// for `open_min`, so that a sick upstream is left alone and callers are not kept waiting. Then it
// is half-open: one call goes as a probe while the others are still refused. Its success closes the
// circuit; its failure opens it again for twice as long, up to `open_max`.
#pragma once

#include "base/clock.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rollcall::http {

struct BreakerConfig {
    int failures_max = 5;
    std::chrono::milliseconds open_min{2'000};
    std::chrono::milliseconds open_max{30'000};
    // A probe that is neither told to have succeeded nor failed by then no longer counts as one.
    std::chrono::milliseconds probe_max{60'000};
};

class Breaker {
public:
    // The numbers are those of the metric rollcall_circuit_state.
    enum class State : std::uint8_t { closed = 0, half_open = 1, open = 2 };
    static constexpr std::size_t states = 3;

    // Names a call that was let through, for the report of its end.
    struct Pass {
        std::uint64_t era = 0;  // changes with every transition
    };
    struct Admission {
        bool admitted = false;
        Pass pass;                          // when admitted
        std::chrono::milliseconds wait{0};  // when not: how long until it is worth asking again
    };

    explicit Breaker(BreakerConfig config = {});

    // Each admission is followed by one of the three below. What a call of an earlier era reports
    // is ignored: it says nothing of the upstream as it is now.
    [[nodiscard]] Admission admit(SteadyTime now);
    void succeeded(Pass pass);
    void failed(Pass pass, SteadyTime now);
    void abandoned(Pass pass);  // cancelled: nothing is known of the upstream

    // How long until admit() would let a call through; 0: now.
    [[nodiscard]] std::chrono::milliseconds wait(SteadyTime now) const;

    [[nodiscard]] State state() const { return state_; }
    // How often `state` was entered.
    [[nodiscard]] std::uint64_t entered(State state) const {
        return entered_[static_cast<std::size_t>(state)];
    }

private:
    void enter(State state);
    void open(SteadyTime now);

    BreakerConfig config_;
    State state_ = State::closed;
    std::uint64_t era_ = 0;
    int failures_ = 0;                    // in a row, while closed
    std::chrono::milliseconds open_for_;  // the next time
    SteadyTime until_{};                  // open: its end; half-open: the probe's
    bool probing_ = false;
    std::array<std::uint64_t, states> entered_{};
};

[[nodiscard]] std::string_view to_string(Breaker::State state);  // closed, half_open, open

}  // namespace rollcall::http
