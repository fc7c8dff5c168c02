#include "cli/run_progress.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace rollcall::cli {
namespace {

constexpr int bar_width = 30;
constexpr std::chrono::milliseconds bar_interval{100};
constexpr std::chrono::seconds line_interval{5};

// Users may come while they are listed: never above 1.
double share(const Moment& moment) {
    if (moment.expected.value_or(0) <= 0) return 0;
    return std::min(1.0, static_cast<double>(moment.seen) / static_cast<double>(*moment.expected));
}

std::string users(const Moment& moment) {
    if (!moment.expected) return fmt::format("{} users", moment.seen);
    return fmt::format("{} of {} users", moment.seen, *moment.expected);
}

// "" where it cannot be told.
std::string time_left(const Moment& moment) {
    if (!moment.expected || moment.rate <= 0 || moment.seen >= *moment.expected) return "";
    const std::int64_t seconds =
        std::llround(static_cast<double>(*moment.expected - moment.seen) / moment.rate);
    if (seconds >= 3600) return fmt::format("{}h{:02}m left", seconds / 3600, seconds / 60 % 60);
    if (seconds >= 60) return fmt::format("{}m{:02}s left", seconds / 60, seconds % 60);
    return fmt::format("{}s left", seconds);
}

std::string with(std::string_view separator, const std::string& text) {
    return text.empty() ? "" : fmt::format("{}{}", separator, text);
}

}  // namespace

std::string bar(const Moment& moment) {
    std::string out;
    if (moment.expected) {
        const int full = static_cast<int>(share(moment) * bar_width);
        out = fmt::format("[{:#<{}}{:-<{}}] {:3.0f}%  ", "", full, "", bar_width - full,
                          share(moment) * 100);
    }
    return out +
           fmt::format("{}  {:.0f}/s{}", users(moment), moment.rate, with("  ", time_left(moment)));
}

std::string line(const Moment& moment) {
    std::string out = users(moment);
    if (moment.expected) out += fmt::format(" ({:.0f}%)", share(moment) * 100);
    return out + fmt::format(", {:.0f}/s{}", moment.rate, with(", ", time_left(moment)));
}

RunProgress::RunProgress(bool terminal, const Clock& clock, Differs differs)
    : terminal_(terminal), clock_(clock), differs_(std::move(differs)), began_(clock.steady()) {}

void RunProgress::advanced(const sync::RunSummary& so_far, std::optional<std::int64_t> expected) {
    if (!seen_before_) seen_before_ = so_far.seen;
    const SteadyTime now = clock_.steady();
    const std::chrono::milliseconds interval = terminal_ ? bar_interval : line_interval;
    if (shown_at_ && now - *shown_at_ < interval) return;
    shown_at_ = now;
    const double seconds = std::chrono::duration<double>(now - began_).count();
    const auto done = static_cast<double>(so_far.seen - *seen_before_);
    const Moment moment{
        .seen = so_far.seen, .expected = expected, .rate = seconds > 0 ? done / seconds : 0};
    if (terminal_) {
        fmt::print(stderr, "\r{}\x1b[K", bar(moment));
        std::fflush(stderr);
        drawn_ = true;
    } else {
        fmt::print(stderr, "{}\n", line(moment));
    }
}

void RunProgress::differs(const sync::Difference& difference) {
    if (!differs_) return;
    clear();
    differs_(difference);
}

void RunProgress::clear() {
    if (!drawn_) return;
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
    drawn_ = false;
}

}  // namespace rollcall::cli
