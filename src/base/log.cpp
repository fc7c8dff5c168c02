#include "base/log.hpp"

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <sstream>

namespace rollcall::log {
namespace {

constexpr std::size_t level_count = 4;

std::shared_ptr<spdlog::sinks::sink> plain(std::shared_ptr<spdlog::sinks::sink> sink) {
    sink->set_pattern("%v");
    return sink;
}

struct Logger {
    std::atomic<Level> level{Level::info};
    std::atomic<Format> format{Format::automatic};
    std::array<std::atomic<std::uint64_t>, level_count> written{};
    const bool terminal = isatty(STDERR_FILENO) == 1;

    std::mutex mutex;  // guards `sink` and the order of lines
    std::shared_ptr<spdlog::sinks::sink> sink =
        plain(std::make_shared<spdlog::sinks::stderr_sink_st>());
    bool captured = false;

    void write(Level at, std::string_view line) {
        written[static_cast<std::size_t>(at)].fetch_add(1, std::memory_order_relaxed);
        const std::lock_guard lock(mutex);
        sink->log(spdlog::details::log_msg(spdlog::string_view_t{}, spdlog::level::info,
                                           spdlog::string_view_t(line.data(), line.size())));
        sink->flush();
    }
};

// Never destroyed, so that what runs at exit may still log.
Logger& logger() {
    static auto* const instance = new Logger;
    return *instance;
}

void append_value(std::string& out, const Field& field, bool json) {
    std::visit(
        [&](const auto& value) {
            using T = std::decay_t<decltype(value)>;
            if constexpr (std::is_same_v<T, std::string_view>) {
                // In text too: a value must not be able to forge a line or steer a terminal.
                const bool bare = !json && !value.empty() &&
                                  value.find_first_not_of(
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789_-.:/@") == std::string_view::npos;
                if (bare) {
                    out += value;
                } else {
                    append_json_string(out, value);
                }
            } else if constexpr (std::is_same_v<T, bool>) {
                out += value ? "true" : "false";
            } else if constexpr (std::is_same_v<T, double>) {
                if (std::isfinite(value)) {
                    fmt::format_to(std::back_inserter(out), "{}", value);
                } else {
                    out += "null";
                }
            } else {
                fmt::format_to(std::back_inserter(out), "{}", value);
            }
        },
        field.value);
}

void render_json(std::string& out, Level level, std::string_view event, Fields fields) {
    out += R"({"ts":")";
    out += to_rfc3339(real_clock().now());
    out += R"(","level":")";
    out += to_string(level);
    out += R"(","event":)";
    append_json_string(out, event);
    for (const Field& field : fields) {
        out += ',';
        append_json_string(out, field.name);
        out += ':';
        append_value(out, field, true);
    }
    out += '}';
}

void render_text(std::string& out, Level level, std::string_view event, Fields fields) {
    fmt::format_to(std::back_inserter(out), "{} {:<5} {}",
                   std::string_view(to_rfc3339(real_clock().now())).substr(11, 12),
                   to_string(level), event);
    for (const Field& field : fields) {
        out += ' ';
        out += field.name;
        out += '=';
        append_value(out, field, false);
    }
}

void emit(Level level, std::string_view event, Fields fields) {
    Logger& to = logger();
    if (!enabled(level)) return;
    const Format format = to.format.load(std::memory_order_relaxed);
    const bool text =
        format == Format::text || (format == Format::automatic && to.terminal && !to.captured);
    std::string line;
    line.reserve(256);
    if (text) {
        render_text(line, level, event, fields);
    } else {
        render_json(line, level, event, fields);
    }
    to.write(level, line);
}

}  // namespace

void configure(Level level, Format format) {
    logger().level.store(level, std::memory_order_relaxed);
    logger().format.store(format, std::memory_order_relaxed);
}

void set_level(Level level) {
    logger().level.store(level, std::memory_order_relaxed);
}

bool enabled(Level level) {
    return level >= logger().level.load(std::memory_order_relaxed);
}

std::string_view to_string(Level level) {
    static constexpr std::array<std::string_view, level_count> names{"debug", "info", "warn",
                                                                     "error"};
    return names.at(static_cast<std::size_t>(level));
}

std::optional<Level> parse_level(std::string_view name) {
    for (const Level level : {Level::debug, Level::info, Level::warn, Level::error}) {
        if (name == to_string(level)) return level;
    }
    return std::nullopt;
}

std::uint64_t messages_total(Level level) {
    return logger().written.at(static_cast<std::size_t>(level)).load(std::memory_order_relaxed);
}

void debug(std::string_view event, Fields fields) {
    emit(Level::debug, event, fields);
}
void info(std::string_view event, Fields fields) {
    emit(Level::info, event, fields);
}
void warn(std::string_view event, Fields fields) {
    emit(Level::warn, event, fields);
}
void error(std::string_view event, Fields fields) {
    emit(Level::error, event, fields);
}

struct Capture::Buffer {
    std::ostringstream stream;
    std::shared_ptr<spdlog::sinks::sink> previous;
};

Capture::Capture() : buffer_(std::make_unique<Buffer>()) {
    const std::lock_guard lock(logger().mutex);
    ensure(!logger().captured, "one log::Capture at a time");
    logger().captured = true;
    buffer_->previous = std::exchange(
        logger().sink, plain(std::make_shared<spdlog::sinks::ostream_sink_st>(buffer_->stream)));
}

Capture::~Capture() {
    const std::lock_guard lock(logger().mutex);
    logger().captured = false;
    logger().sink = std::move(buffer_->previous);
}

std::string_view Capture::text() const {
    return buffer_->stream.view();
}

}  // namespace rollcall::log
