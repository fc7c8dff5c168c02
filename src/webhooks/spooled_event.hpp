// A verified delivery as the spool keeps it: the delivery, not the job that was made of it, so that
// it is read by the build that drains it. Pure.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace rollcall::webhooks {

struct SpooledEvent {
    Uuid job_id{};  // what the sender was told
    std::string svix_id;
    SystemTime sent_at;
    SystemTime received_at;
    std::string traceparent;  // "" when it brought none
    std::string body;

    bool operator==(const SpooledEvent&) const = default;
};

[[nodiscard]] std::string to_record(const SpooledEvent& event);
// Nothing for what no build up to this one has written.
[[nodiscard]] std::optional<SpooledEvent> read_record(std::string_view record);

}  // namespace rollcall::webhooks
