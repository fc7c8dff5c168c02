#include "base/clock.hpp"

#include <fmt/format.h>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <utility>

namespace rollcall {
namespace {

class RealClock final : public Clock {
public:
    [[nodiscard]] SystemTime now() const override {
        return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    }
    [[nodiscard]] SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
};

// Digits, then a unit: the value times the unit's factor, within `max`.
template <std::size_t N>
std::optional<std::uint64_t> parse_with_unit(
    std::string_view text, const std::array<std::pair<std::string_view, std::uint64_t>, N>& units,
    std::uint64_t max) {
    if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return std::nullopt;
    const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    for (const auto& [name, factor] : units) {
        if (unit == name) {
            if (value > max / factor) return std::nullopt;
            return value * factor;
        }
    }
    return std::nullopt;
}

}  // namespace

const Clock& real_clock() {
    static const RealClock clock;
    return clock;
}

std::string to_rfc3339(SystemTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", int{date.year()},
                       unsigned{date.month()}, unsigned{date.day()}, clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(),
                       clock.subseconds().count());
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 5> units{
        {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
    // A century: far from where a sum with the present would overflow nanoseconds.
    const auto value = parse_with_unit(text, units, 36'500ULL * 86'400'000ULL);
    if (!value) return std::nullopt;
    return std::chrono::milliseconds(static_cast<std::int64_t>(*value));
}

std::optional<std::size_t> parse_size(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> units{
        {{"", 1}, {"KiB", 1ULL << 10U}, {"MiB", 1ULL << 20U}, {"GiB", 1ULL << 30U}}};
    return parse_with_unit(text, units, std::numeric_limits<std::size_t>::max());
}

}  // namespace rollcall
