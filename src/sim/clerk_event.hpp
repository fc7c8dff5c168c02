// The body of a webhook, as Clerk's OpenAPI description of them has it (2025-04-15). Pure.
#pragma once

#include "base/clock.hpp"

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

namespace rollcall::sim {

// Who asked for the change; Clerk passes it on in event_attributes.
struct Origin {
    std::string client_ip = "127.0.0.1";
    std::string user_agent = "rollcall-sim";
};

struct ClerkEvent {
    std::string type;         // user.created, …
    std::string subject;      // id of the object, for people who read lists of messages
    boost::json::value data;  // the whole object, private metadata included
    Origin origin;
};

// {"object":"event","type","timestamp","instance_id","data","event_attributes"}. The timestamp is
// in milliseconds, as Clerk's documentation has it, or in seconds, as in its examples.
[[nodiscard]] std::string envelope(const ClerkEvent& event, std::string_view instance_id,
                                   SystemTime now, bool in_seconds);

}  // namespace rollcall::sim
