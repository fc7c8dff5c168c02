// When a key set is asked for, and how long the last good one may serve. Pure: time and chance are
// passed in. A set is renewed in the background after half its time to live. A kid that it does not
// have is a reason to ask, once in a cool-down with jitter and never twice for the same kid within
// `unknown_for`, so that made-up kids cost the publisher two requests a minute at most. While
// asking fails, the last set serves on (stale), for `stale_max`; then nothing does. With no set at
// all it is asked for within five seconds again.
#pragma once

#include "base/clock.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace rollcall::clerk {

struct KeyScheduleConfig {
    std::chrono::milliseconds ttl{600'000};     // where the answer does not say
    std::chrono::milliseconds ttl_min{60'000};  // what it says is kept within these
    std::chrono::milliseconds ttl_max{3'600'000};
    std::chrono::milliseconds stale_max{86'400'000};
    std::chrono::milliseconds cooldown{31'000};        // between requests while a set is there …
    std::chrono::milliseconds cooldown_jitter{6'000};  // … and up to this much longer
    std::chrono::milliseconds first_delay{1'000};      // between requests while there is none …
    std::chrono::milliseconds first_jitter{500};       // … likewise
    std::chrono::milliseconds unknown_for{300'000};
    std::size_t unknown_max = 1024;  // kids that are remembered as unknown
};

// The time to live that a Cache-Control field grants (RFC 9111 section 5.2.2); nothing when it says
// nothing. no-store and no-cache grant none.
[[nodiscard]] std::optional<std::chrono::seconds> granted_ttl(std::string_view cache_control);

class KeySchedule {
public:
    explicit KeySchedule(KeyScheduleConfig config, SteadyTime now);

    // When the next request is due; time that is past: at once.
    [[nodiscard]] SteadyTime due() const { return due_; }
    // Whether a set may serve: there is one, and it is not too old.
    [[nodiscard]] bool usable(SteadyTime now) const;
    // Whether it is older than its time to live.
    [[nodiscard]] bool stale(SteadyTime now) const;

    // When the last request that succeeded ended.
    [[nodiscard]] std::optional<SteadyTime> since() const { return since_; }

    // A request ended. `chance` is in [0, 1).
    void succeeded(SteadyTime now, std::optional<std::chrono::seconds> granted, double chance);
    void failed(SteadyTime now, double chance);

    // A token names a kid that the set does not have: whether to ask for the set because of it.
    // True makes the request due.
    [[nodiscard]] bool missed(std::string_view kid, SteadyTime now);
    // After a request that did not bring `kid`.
    void note_unknown(std::string_view kid, SteadyTime now);

private:
    [[nodiscard]] bool known_unknown(std::string_view kid, SteadyTime now);

    KeyScheduleConfig config_;
    SteadyTime due_;
    std::optional<SteadyTime> since_;  // of the last good set
    std::chrono::milliseconds ttl_{0};
    SteadyTime quiet_until_;  // no request for the sake of a kid before
    std::unordered_map<std::string, SteadyTime> unknown_;  // until when
    std::deque<std::string> order_;                        // of unknown_, the oldest first
};

}  // namespace rollcall::clerk
