#include "sim/clerk_event.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace rollcall::sim {

namespace json = boost::json;

std::string envelope(const ClerkEvent& event, std::string_view instance_id, SystemTime now,
                     bool in_seconds) {
    const auto milliseconds = now.time_since_epoch().count();
    const json::object http_request{{"client_ip", event.origin.client_ip},
                                    {"user_agent", event.origin.user_agent}};
    return json::serialize(
        json::object{{"event_attributes", json::object{{"http_request", http_request}}},
                     {"object", "event"},
                     {"type", event.type},
                     {"instance_id", instance_id},
                     {"timestamp", in_seconds ? milliseconds / 1000 : milliseconds},
                     {"data", event.data}});
}

}  // namespace rollcall::sim
