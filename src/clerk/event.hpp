// A webhook event of Clerk: {"object":"event","type","timestamp","instance_id","data"}.
#pragma once

#include "clerk/user.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace rollcall::clerk {

struct UserDeleted {
    std::string id;
};

// A session that has ended, by whatever word: session.ended, session.removed, session.revoked. No
// token of it counts any more.
struct SessionEnded {
    std::string id;
    std::string user_id{};  // "" when the event does not say
};

// The type is not one that rollcall acts on; the event is acknowledged and dropped.
struct Unhandled {};

// Signed, but not usable: kept for a person. `reason` is stable: not_json, not_an_object, no_type,
// no_user_id, no_session_id. An object whose type is not known may still be a user, by its id.
struct Unusable {
    std::string_view reason;
    std::string user_id{};  // "" when it names none
};

struct Event {
    std::string type;               // "" when unknown
    std::int64_t timestamp_ms = 0;  // of the envelope, seconds and milliseconds both read; 0 absent
    std::string instance_id;        // "" when absent
    bool user_created = false;      // User came in user.created
    std::variant<Unhandled, User, UserDeleted, SessionEnded, Unusable> data;
};

// Reads the exact bytes of a delivery. Never fails: what cannot be used says so in `data`. Bounds:
// size as the HTTP limit, nesting by the size. Reuses its parser's buffers, so use one
// per event loop.
class EventParser {
public:
    EventParser();
    ~EventParser();
    EventParser(const EventParser&) = delete;
    EventParser& operator=(const EventParser&) = delete;

    [[nodiscard]] Event parse(std::string_view body);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace rollcall::clerk
