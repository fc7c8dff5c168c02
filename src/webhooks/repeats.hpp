// Keeps a flood of equal log lines from becoming a flood of lines: the first few of each name and
// minute are written, the rest counted. Pure: time is passed in. Names must be few and live for
// ever. Internal to this folder.
#pragma once

#include "base/clock.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace rollcall::webhooks {

class Repeats {
public:
    explicit Repeats(std::int64_t lines_per_minute) : lines_max_(lines_per_minute) {}

    // Nothing when the line is to be left out; else how many were left out before it.
    [[nodiscard]] std::optional<std::int64_t> admit(std::string_view name, SteadyTime now) {
        Window& window = windows_[name];
        if (!window.began || now - *window.began >= std::chrono::minutes(1)) {
            window.began = now;
            window.lines = 0;
        }
        if (window.lines >= lines_max_) {
            ++window.left_out;
            return std::nullopt;
        }
        ++window.lines;
        return std::exchange(window.left_out, 0);
    }

private:
    struct Window {
        std::optional<SteadyTime> began;
        std::int64_t lines = 0;
        std::int64_t left_out = 0;
    };
    std::int64_t lines_max_;
    std::map<std::string_view, Window> windows_;
};

}  // namespace rollcall::webhooks
