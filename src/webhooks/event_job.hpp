// What a verified delivery becomes: a job, or nothing when its type is not handled. Pure.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "clerk/event.hpp"
#include "jobs/queue.hpp"
#include "webhooks/config.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::webhooks {

// A job that owns its values, so that it can outlive the request it came in.
struct EventJob {
    Uuid id{};
    std::string_view kind;   // jobs::user_created, …
    std::string_view error;  // stable text, why it is kept for a person; "" for one to work off
    std::string refresh;     // of one kept for a person: the user it names, "" for none
    SystemTime time;         // the event's
    std::string payload;
    std::string event_id;
    std::string original_event;
    std::string trace;  // traceparent that the delivery brought; "" for none
    std::string subject;
    int priority = 1;
    std::optional<std::int64_t> version;
    std::optional<bool> banned;
    std::optional<bool> locked;
    std::optional<SystemTime> clerk_created_at;
    std::optional<SystemTime> arrived_at;  // where that was before now

    // Views into this.
    [[nodiscard]] jobs::NewJob view() const;
};

// Nothing for a type that is not handled. `sent_at` stands in for a time that the event lacks. Id,
// event id, original event and trace are the caller's to fill in.
[[nodiscard]] std::optional<EventJob> job_of(const clerk::Event& event, SystemTime sent_at,
                                             const RoleRules& roles);

// The job of an event that job_of() has none for, kept for a person: it was acknowledged.
[[nodiscard]] EventJob job_of_unhandled(const clerk::Event& event, SystemTime sent_at);

// The role that the row gets: `claimed` if it is configured, else the default.
[[nodiscard]] std::string_view role_of(const std::optional<std::string>& claimed,
                                       const RoleRules& roles);

// The body as `original_event` holds it: as it is when a text column takes it, else "base64:" and
// its base64.
[[nodiscard]] std::string storable(std::string body);

// The same job kept for a person, with the body in base64 and of the event's other values only whom
// it names: for a job that the database refused.
void make_reviewable(EventJob& job);

}  // namespace rollcall::webhooks
