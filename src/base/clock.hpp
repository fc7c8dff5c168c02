// Time as a value that tests replace. `now` is wall-clock UTC, for timestamps that leave the
// process; `steady` is monotonic, for everything that measures or waits. Scheduling in the database
// uses the database's clock, never this one.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall {

using SystemTime = std::chrono::sys_time<std::chrono::milliseconds>;
using SteadyTime = std::chrono::steady_clock::time_point;

class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual SystemTime now() const = 0;
    [[nodiscard]] virtual SteadyTime steady() const = 0;
};

// The machine's clocks. Lives as long as the program.
const Clock& real_clock();

// Stands still until told to move. For tests.
class ManualClock final : public Clock {
public:
    explicit ManualClock(SystemTime start) : now_(start) {}
    [[nodiscard]] SystemTime now() const override { return now_; }
    [[nodiscard]] SteadyTime steady() const override { return steady_; }
    void advance(std::chrono::milliseconds by) {
        now_ += by;
        steady_ += by;
    }

private:
    SystemTime now_;
    SteadyTime steady_{};
};

// RFC 3339 in UTC with milliseconds: 2026-11-21T21:45:45.123Z.
[[nodiscard]] std::string to_rfc3339(SystemTime time);

// "200ms", "5s", "10m", "6h", "1d"; nothing for any other form, a sign or an overflow.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
// "512", "64KiB", "1MiB", "1GiB" in bytes; nothing for any other form or an overflow.
[[nodiscard]] std::optional<std::size_t> parse_size(std::string_view text);

}  // namespace rollcall
