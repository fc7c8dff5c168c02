#include "webhooks/spooled_event.hpp"

#include <algorithm>
#include <concepts>
#include <cstdint>

namespace rollcall::webhooks {
namespace {

constexpr char version = 1;
constexpr std::int64_t latest_ms = 253'402'300'799'999;  // the year 9999

template <std::unsigned_integral U>
void append_number(std::string& out, U number) {
    for (std::size_t i = 0; i < sizeof(U); ++i) {
        out += static_cast<char>(static_cast<unsigned char>(number >> (8 * i)));
    }
}

void append_text(std::string& out, std::string_view text) {
    append_number(out, static_cast<std::uint32_t>(text.size()));
    out += text;
}

void append_time(std::string& out, SystemTime time) {
    append_number(out, static_cast<std::uint64_t>(time.time_since_epoch().count()));
}

// Takes values off the front; after the first that is not there, `whole` is false.
class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    std::string_view take(std::size_t size) {
        if (size > rest_.size()) {
            whole_ = false;
            size = rest_.size();
        }
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }
    template <std::unsigned_integral U>
    U number() {
        const std::string_view bytes = take(sizeof(U));
        U value = 0;
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            value |=
                static_cast<U>(static_cast<U>(static_cast<unsigned char>(bytes[i])) << (8 * i));
        }
        return value;
    }
    std::string text() { return std::string(take(number<std::uint32_t>())); }
    SystemTime time() {
        const auto ms = static_cast<std::int64_t>(number<std::uint64_t>());
        whole_ = whole_ && ms >= 0 && ms <= latest_ms;
        return SystemTime(std::chrono::milliseconds(std::clamp<std::int64_t>(ms, 0, latest_ms)));
    }
    [[nodiscard]] bool ended() const { return whole_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool whole_ = true;
};

}  // namespace

std::string to_record(const SpooledEvent& event) {
    std::string out;
    out.reserve(64 + event.svix_id.size() + event.traceparent.size() + event.body.size());
    out += version;
    for (const std::uint8_t byte : event.job_id.bytes) out += static_cast<char>(byte);
    append_text(out, event.svix_id);
    append_time(out, event.sent_at);
    append_time(out, event.received_at);
    append_text(out, event.traceparent);
    append_text(out, event.body);
    return out;
}

std::optional<SpooledEvent> read_record(std::string_view record) {
    Reader reader(record);
    if (reader.take(1) != std::string_view(&version, 1)) return std::nullopt;
    SpooledEvent event;
    const std::string_view id = reader.take(sizeof(event.job_id.bytes));
    for (std::size_t i = 0; i < id.size(); ++i) {
        event.job_id.bytes[i] = static_cast<std::uint8_t>(id[i]);
    }
    event.svix_id = reader.text();
    event.sent_at = reader.time();
    event.received_at = reader.time();
    event.traceparent = reader.text();
    event.body = reader.text();
    if (!reader.ended() || event.svix_id.empty()) return std::nullopt;
    return event;
}

}  // namespace rollcall::webhooks
