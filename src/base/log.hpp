// Structured log: one event a line, JSON (or text on a terminal), on standard error. `event` is a
// stable snake_case name, `fields` its values. Never pass a secret, token, e-mail, phone or name of
// a person: ids only. Thread-safe.
//
//   log::info("migration_applied", {{"step", 3}, {"duration_ms", 12}});
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace rollcall::log {

enum class Level : std::uint8_t { debug, info, warn, error };
enum class Format : std::uint8_t { automatic, json, text };

struct Field {
    std::string_view name;
    std::variant<std::string_view, std::int64_t, double, bool> value;

    Field(std::string_view n, std::string_view v) : name(n), value(v) {}
    Field(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
    Field(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}
    template <std::integral I>
    Field(std::string_view n, I v) : name(n), value(static_cast<std::int64_t>(v)) {}
    Field(std::string_view n, bool v) : name(n), value(v) {}
    Field(std::string_view n, double v) : name(n), value(v) {}
};
using Fields = std::initializer_list<Field>;

// Called once at start, before other threads log. `automatic` is text when standard error is a
// terminal and JSON otherwise.
void configure(Level level, Format format);
void set_level(Level level);  // at any time, from any thread
[[nodiscard]] bool enabled(Level level);
[[nodiscard]] std::string_view to_string(Level level);
[[nodiscard]] std::optional<Level> parse_level(std::string_view name);

// How many messages of `level` were written since the start: rollcall_log_messages_total.
[[nodiscard]] std::uint64_t messages_total(Level level);

void debug(std::string_view event, Fields fields = {});
void info(std::string_view event, Fields fields = {});
void warn(std::string_view event, Fields fields = {});
void error(std::string_view event, Fields fields = {});

// Receives every rendered line instead of standard error while it lives; JSON unless configured
// as text. At most one lives. For tests.
class Capture {
public:
    Capture();
    ~Capture();
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;
    [[nodiscard]] std::string_view text() const;

private:
    struct Buffer;
    std::unique_ptr<Buffer> buffer_;
};

}  // namespace rollcall::log
