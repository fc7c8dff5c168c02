// Which networks fail the signature most, by the minute, in memory that is bounded whoever sends:
// the heaviest few of each minute, counted as Misra and Gries do. No count is too high, and none
// too low by more than a part in networks_max + 1 of that minute's failures. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace rollcall::webhooks {

class FailingNetworks {
public:
    static constexpr std::size_t networks_max = 16;  // of a minute
    static constexpr std::size_t minutes_max = 60;   // an outage of the database may be long

    using Counts = std::map<std::string, std::int64_t, std::less<>>;
    using Minutes = std::map<std::int64_t, Counts>;  // by the minute since 1970

    // `count` failures of one network; those of none ("") count for nobody.
    void note(std::int64_t minute, std::string_view network, std::int64_t count = 1);

    [[nodiscard]] const Minutes& minutes() const { return minutes_; }
    void clear() { minutes_.clear(); }

private:
    Minutes minutes_;
};

}  // namespace rollcall::webhooks
