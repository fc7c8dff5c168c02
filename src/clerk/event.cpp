#include "clerk/event.hpp"

#include "base/json_document.hpp"
#include "clerk/user_json.hpp"

#include <optional>

namespace rollcall::clerk {
namespace {

// Clerk documents milliseconds and shows seconds in every example of its specification.
std::int64_t envelope_ms(std::int64_t time) {
    constexpr std::int64_t seconds_max = 100'000'000'000;
    return time < seconds_max ? time * 1000 : time;
}

std::string_view text_of(const simdjson::dom::object& object, std::string_view name) {
    std::string_view text;
    for (const auto& [key, value] : object) {
        if (key == name) text = as_string(value).value_or("");
    }
    return text;
}

std::string_view id_of(const simdjson::dom::object& object) {
    return text_of(object, "id");
}

// Of an event without a type: all of Clerk's ids say what they are of.
std::string user_in(const std::optional<simdjson::dom::element>& data) {
    simdjson::dom::object object;
    if (!data || data->get_object().get(object) != simdjson::SUCCESS) return "";
    const std::string_view id = id_of(object);
    return std::string(id.starts_with("user_") && usable_id(id) ? id : "");
}

bool ends_a_session(std::string_view type) {
    return type == "session.ended" || type == "session.removed" || type == "session.revoked";
}

void read_session(Event& event, const std::optional<simdjson::dom::element>& data) {
    event.data = Unusable{"no_session_id"};
    simdjson::dom::object object;
    if (!data || data->get_object().get(object) != simdjson::SUCCESS) return;
    const std::string_view id = id_of(object);
    if (!usable_id(id)) return;
    const std::string_view user = text_of(object, "user_id");
    event.data =
        SessionEnded{.id = std::string(id), .user_id = std::string(usable_id(user) ? user : "")};
}

void read_data(Event& event, const std::optional<simdjson::dom::element>& data) {
    if (ends_a_session(event.type)) {
        read_session(event, data);
        return;
    }
    const bool deleted = event.type == "user.deleted";
    event.user_created = event.type == "user.created";
    if (!deleted && !event.user_created && event.type != "user.updated") {
        event.data = Unhandled{};
        return;
    }
    event.data = Unusable{"no_user_id"};
    simdjson::dom::object object;
    if (!data || data->get_object().get(object) != simdjson::SUCCESS) return;
    if (deleted) {
        const std::string_view id = id_of(object);
        if (usable_id(id)) event.data = UserDeleted{std::string(id)};
    } else if (auto user = read_user(object)) {
        event.data = *std::move(user);
    }
}

Event read_event(const simdjson::dom::object& object) {
    Event event;
    std::optional<simdjson::dom::element> data;
    for (const auto& [key, value] : object) {
        if (key == "type") {
            event.type = as_string(value).value_or("");
        } else if (key == "timestamp") {
            event.timestamp_ms = envelope_ms(as_time(value));
        } else if (key == "instance_id") {
            event.instance_id = as_string(value).value_or("");
        } else if (key == "data") {
            data = value;
        }
    }
    if (event.type.empty()) {
        event.data = Unusable{.reason = "no_type", .user_id = user_in(data)};
    } else {
        read_data(event, data);
    }
    return event;
}

}  // namespace

struct EventParser::State {
    JsonDocument document;
};

EventParser::EventParser() : state_(std::make_unique<State>()) {}
EventParser::~EventParser() = default;

Event EventParser::parse(std::string_view body) {
    const auto root = state_->document.parse(body);
    Event event;
    simdjson::dom::object object;
    if (!root) {
        event.data = Unusable{"not_json"};
    } else if (root->get_object().get(object) != simdjson::SUCCESS) {
        event.data = Unusable{"not_an_object"};
    } else {
        event = read_event(object);
    }
    return event;
}

}  // namespace rollcall::clerk
