// How far a run is, on standard error: a bar that moves on a terminal, else a line now and then.
// Differences go where they are wanted; the bar makes way for them.
#pragma once

#include "base/clock.hpp"
#include "sync/progress.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace rollcall::cli {

// A moment of a run. `seen` and `expected` count users, `rate` users in a second.
struct Moment {
    std::int64_t seen = 0;
    std::optional<std::int64_t> expected;
    double rate = 0;
};

// "[#########---------------------]  30%  300 of 1000 users  150/s  5s left". Pure.
[[nodiscard]] std::string bar(const Moment& moment);
// "300 of 1000 users (30%), 150/s, 5s left". Pure.
[[nodiscard]] std::string line(const Moment& moment);

class RunProgress final : public sync::Progress {
public:
    using Differs = std::function<void(const sync::Difference&)>;

    RunProgress(bool terminal, const Clock& clock, Differs differs = {});
    ~RunProgress() override { clear(); }
    RunProgress(const RunProgress&) = delete;
    RunProgress& operator=(const RunProgress&) = delete;

    void advanced(const sync::RunSummary& so_far, std::optional<std::int64_t> expected) override;
    void differs(const sync::Difference& difference) override;
    // Takes the bar away, before something else is written.
    void clear();

private:
    bool terminal_;
    const Clock& clock_;
    Differs differs_;
    SteadyTime began_;
    std::optional<SteadyTime> shown_at_;
    std::optional<std::int64_t> seen_before_;  // by the run that this one goes on from
    bool drawn_ = false;
};

}  // namespace rollcall::cli
