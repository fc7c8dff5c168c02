#include "sim/clerk_control.hpp"

#include "sim/clerk_query.hpp"
#include "sim/control_json.hpp"
#include "sim/control_route.hpp"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <functional>
#include <optional>
#include <ranges>
#include <utility>

namespace rollcall::sim {

namespace {

using control::answer;
using control::body_of;
using control::refuse;
using control::typed;

constexpr std::size_t people_max = 100'000;
constexpr std::size_t list_default = 100;

http::Response no_message() {
    return control::not_found("no message with this id");
}

std::optional<std::int64_t> integer(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// A whole number in [0, most] of the query; `otherwise` when absent.
Result<std::size_t> query_number(const QueryPairs& query, std::string_view name, std::size_t most,
                                 std::size_t otherwise) {
    if (!query.has(name)) return otherwise;
    const auto value = integer(query.get(name));
    if (value && *value >= 0 && std::cmp_less_equal(*value, most)) {
        return static_cast<std::size_t>(*value);
    }
    return fail(ErrorCode::invalid_input,
                std::string(name) + " must be a whole number, at most " + std::to_string(most));
}

std::optional<MessageStatus> parse_status(std::string_view name) {
    for (const auto status : {MessageStatus::pending, MessageStatus::delivered,
                              MessageStatus::failed, MessageStatus::missing}) {
        if (to_string(status) == name) return status;
    }
    return std::nullopt;
}

json::object message_to_json(const Message& message) {
    json::array attempts;
    for (const auto& attempt : message.attempts) {
        attempts.emplace_back(json::object{{"at", attempt.at},
                                           {"trigger", to_string(attempt.trigger)},
                                           {"status", attempt.status},
                                           {"error", attempt.error},
                                           {"duration_ms", attempt.duration.count()}});
    }
    return {{"id", message.id},
            {"type", message.type},
            {"subject", message.subject},
            {"status", to_string(message.status())},
            {"created_at", message.created_at},
            {"attempts", std::move(attempts)}};
}

json::object endpoint_to_json(const ClerkInstance& clerk) {
    json::array secrets;
    for (const auto& secret : clerk.endpoint.secrets(clerk.clock.steady())) {
        secrets.emplace_back(secret);
    }
    return {{"url", clerk.endpoint.url},
            {"enabled", clerk.endpoint.enabled},
            {"secrets", std::move(secrets)}};
}

}  // namespace

ClerkControl::ClerkControl(std::shared_ptr<ClerkInstance> clerk, std::size_t users,
                           bool with_events)
    : clerk_(std::move(clerk)), users_(users), with_events_(with_events) {}

void ClerkControl::add_to(http::Router& router) {
    const auto add = [&](std::string_view method, std::string pattern, auto answer) {
        add_control_route(router, method, std::move(pattern), std::bind_front(answer, this));
    };
    add("GET", "/sim", &ClerkControl::status);
    add("POST", "/sim/reset", &ClerkControl::reset);
    add("GET", "/sim/faults", &ClerkControl::get_faults);
    add("PUT", "/sim/faults", &ClerkControl::put_faults);
    add("PATCH", "/sim/faults", &ClerkControl::patch_faults);
    add("GET", "/sim/messages", &ClerkControl::list_messages);
    add("GET", "/sim/messages/{id}", &ClerkControl::get_message);
    add("POST", "/sim/messages/{id}/resend", &ClerkControl::resend);
    add("POST", "/sim/replay", &ClerkControl::replay);
    add("POST", "/sim/events", &ClerkControl::send_event);
    add("GET", "/sim/endpoint", &ClerkControl::get_endpoint);
    add("PATCH", "/sim/endpoint", &ClerkControl::patch_endpoint);
    add("POST", "/sim/endpoint/rotate", &ClerkControl::rotate);
    add("GET", "/sim/users", &ClerkControl::list_people);
    add("POST", "/sim/users", &ClerkControl::make_people);
    add("GET", "/sim/requests", &ClerkControl::list_requests);
    add("GET", "/sim/alerts", &ClerkControl::list_alerts);
    add("POST", "/sim/alerts", &ClerkControl::receive_alert);
    add("DELETE", "/sim/alerts", &ClerkControl::clear_alerts);
}

http::Response ClerkControl::status(const http::Request& /*request*/) {
    const auto& messages = clerk_->messages;
    return answer(json::object{
        {"instance_id", clerk_->id},
        {"seed", clerk_->ids.seed()},
        {"users", clerk_->users.size()},
        {"sessions", clerk_->sessions.all().size()},
        {"messages", json::object{{"pending", messages.count(MessageStatus::pending)},
                                  {"delivered", messages.count(MessageStatus::delivered)},
                                  {"failed", messages.count(MessageStatus::failed)},
                                  {"missing", messages.count(MessageStatus::missing)},
                                  {"lost", messages.lost()}}},
        {"api", json::object{{"requests", clerk_->api_requests},
                             {"rate_limited", clerk_->rate_limiter.refused()}}},
        {"faults_struck", clerk_->faults.struck()},
        {"endpoint", endpoint_to_json(*clerk_)}});
}

http::Response ClerkControl::reset(const http::Request& request) {
    const auto body = body_of(request);
    if (!body) return http::Response::error(body.error());
    std::size_t users = users_;
    if (const auto* wanted = body->if_contains("users")) {
        boost::system::error_code error;
        users = wanted->to_number<std::size_t>(error);
        if (error || users > people_max) return refuse("users must be a number up to 100000");
    }
    clerk_->users.clear();
    clerk_->sessions.clear();
    clerk_->messages.clear();
    clerk_->faults.clear();
    clerk_->alerts.clear();
    clerk_->api_records.clear();
    clerk_->endpoint.enabled = true;
    clerk_->populate(users, nullptr, with_events_);
    clerk_->on_reset();
    clerk_->on_faults();
    return status(request);
}

http::Response ClerkControl::get_faults(const http::Request& /*request*/) {
    return answer(clerk_->faults.to_json());
}

http::Response ClerkControl::put_faults(const http::Request& request) {
    const auto body = body_of(request);
    if (!body) return http::Response::error(body.error());
    // Tried on a copy, so that a bad body leaves the switches as they are.
    auto trial = clerk_->faults;
    trial.clear();
    if (const auto done = trial.merge(*body); !done) return http::Response::error(done.error());
    clerk_->faults = trial;
    clerk_->on_faults();
    return get_faults(request);
}

http::Response ClerkControl::patch_faults(const http::Request& request) {
    const auto body = body_of(request);
    if (!body) return http::Response::error(body.error());
    if (const auto done = clerk_->faults.merge(*body); !done) {
        return http::Response::error(done.error());
    }
    clerk_->on_faults();
    return get_faults(request);
}

http::Response ClerkControl::list_messages(const http::Request& request) {
    const QueryPairs query(request.query);
    const auto limit = query_number(query, "limit", 10'000, list_default);
    if (!limit) return http::Response::error(limit.error());
    const auto wanted = query.get("status");
    if (!wanted.empty() && !parse_status(wanted)) {
        return refuse("status must be pending, delivered, failed or missing");
    }
    json::array list;
    for (const auto& [serial, message] : std::views::reverse(clerk_->messages.all())) {
        if (list.size() >= *limit) break;
        if (!wanted.empty() && to_string(message.status()) != wanted) continue;
        if (query.has("subject") && message.subject != query.get("subject")) continue;
        if (query.has("type") && message.type != query.get("type")) continue;
        list.emplace_back(message_to_json(message));
    }
    return answer(
        json::object{{"total", clerk_->messages.all().size()}, {"messages", std::move(list)}});
}

http::Response ClerkControl::get_message(const http::Request& request) {
    const auto* message = clerk_->messages.find(request.path_parameters.find("id")->second);
    if (message == nullptr) return no_message();
    auto object = message_to_json(*message);
    object["body"] = message->body;
    return answer(object);
}

http::Response ClerkControl::resend(const http::Request& request) {
    const auto& id = request.path_parameters.find("id")->second;
    if (!clerk_->messages.resend(id, clerk_->clock.steady())) return no_message();
    clerk_->on_message();
    return get_message(request);
}

http::Response ClerkControl::replay(const http::Request& request) {
    const QueryPairs query(request.query);
    const auto status = parse_status(query.get("status"));
    if (!status || *status == MessageStatus::pending) {
        return refuse("status must be failed, missing or delivered");
    }
    const auto since = query.has("since") ? integer(query.get("since")) : 0;
    if (!since) return refuse("since must be unix milliseconds");
    const auto planned = clerk_->messages.replay(*status, *since, clerk_->clock.steady());
    clerk_->on_message();
    return answer(json::object{{"planned", planned}});
}

http::Response ClerkControl::send_event(const http::Request& request) {
    const auto body = body_of(request);
    if (!body) return http::Response::error(body.error());
    std::string error;
    const auto* raw = typed(*body, "raw", json::kind::string, error);
    const auto* type = typed(*body, "type", json::kind::string, error);
    const auto* subject = typed(*body, "subject", json::kind::string, error);
    const auto* data = body->if_contains("data");
    if (!error.empty()) return refuse(error);
    if (raw == nullptr && (type == nullptr || data == nullptr)) {
        return refuse("an event needs type and data, or raw for a body that is no event");
    }
    const auto text = [](const json::value* value) {
        return value == nullptr ? std::string() : std::string(value->get_string());
    };
    const auto* message = raw != nullptr
                              ? clerk_->publish_raw(text(type), text(subject), text(raw))
                              : clerk_->publish({text(type), text(subject), *data, Origin()});
    if (message == nullptr) {
        return http::Response::error({ErrorCode::unavailable, "no room for another message"});
    }
    return answer(message_to_json(*message));
}

http::Response ClerkControl::get_endpoint(const http::Request& /*request*/) {
    return answer(endpoint_to_json(*clerk_));
}

http::Response ClerkControl::patch_endpoint(const http::Request& request) {
    const auto body = body_of(request);
    if (!body) return http::Response::error(body.error());
    std::string error;
    const auto* url = typed(*body, "url", json::kind::string, error);
    const auto* enabled = typed(*body, "enabled", json::kind::bool_, error);
    if (!error.empty()) return refuse(error);
    if (url != nullptr) {
        const std::string_view text = url->get_string();
        if (!text.empty()) {
            const auto fine = check_webhook_url(text);
            if (!fine) return refuse(fine.error().message);
        }
        clerk_->endpoint.url = text;
    }
    if (enabled != nullptr) clerk_->endpoint.enabled = enabled->get_bool();
    clerk_->on_message();
    return get_endpoint(request);
}

http::Response ClerkControl::rotate(const http::Request& request) {
    const auto body = body_of(request);
    if (!body) return http::Response::error(body.error());
    std::string error;
    const auto* secret = typed(*body, "secret", json::kind::string, error);
    if (!error.empty()) return refuse(error);
    const auto life = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::duration<double>(WebhookEndpoint::old_secret_life) / clerk_->speed);
    const auto text =
        secret != nullptr ? std::string(secret->get_string()) : clerk_->ids.webhook_secret();
    const auto done = clerk_->endpoint.rotate(text, clerk_->clock.steady(), life);
    if (!done) return refuse(done.error().message);
    return get_endpoint(request);
}

http::Response ClerkControl::list_people(const http::Request& request) {
    const QueryPairs query(request.query);
    const auto limit = query_number(query, "limit", people_max, list_default);
    if (!limit) return http::Response::error(limit.error());
    UserQuery newest;
    newest.limit = *limit;
    json::array list;
    for (const auto* user : clerk_->users.list(newest)) list.emplace_back(to_json(*user));
    return answer(json::object{{"total", clerk_->users.size()}, {"users", std::move(list)}});
}

http::Response ClerkControl::make_people(const http::Request& request) {
    const auto body = body_of(request);
    if (!body) return http::Response::error(body.error());
    std::size_t count = 1;
    if (const auto* wanted = body->if_contains("count")) {
        boost::system::error_code error;
        count = wanted->to_number<std::size_t>(error);
        if (error || count > people_max) return refuse("count must be a number up to 100000");
    }
    std::string error;
    const auto* name = typed(*body, "shape", json::kind::string, error);
    const auto* events = typed(*body, "events", json::kind::bool_, error);
    if (!error.empty()) return refuse(error);
    std::string_view shape_name = "typical";
    if (name != nullptr) shape_name = name->get_string();
    std::optional<Shape> shape;
    if (shape_name != "mixed") {
        const auto parsed = parse_shape(shape_name);
        if (!parsed) return http::Response::error(parsed.error());
        shape = *parsed;
    }
    const auto made =
        clerk_->populate(count, shape ? &*shape : nullptr, events == nullptr || events->get_bool());
    json::array ids(made.begin(), made.end());
    return answer(json::object{{"created", made.size()}, {"ids", std::move(ids)}});
}

http::Response ClerkControl::list_requests(const http::Request& /*request*/) {
    json::array list;
    for (const auto& one : std::views::reverse(clerk_->api_records)) {
        list.emplace_back(json::object{{"at", one.at},
                                       {"method", one.method},
                                       {"path", one.path},
                                       {"traceparent", one.traceparent}});
    }
    return answer(json::object{{"requests", std::move(list)}});
}

http::Response ClerkControl::list_alerts(const http::Request& /*request*/) {
    json::array list;
    for (const auto& alert : clerk_->alerts) {
        list.emplace_back(json::object{{"at", alert.at}, {"body", alert.body}});
    }
    return answer(json::object{{"alerts", std::move(list)}});
}

http::Response ClerkControl::receive_alert(const http::Request& request) {
    boost::system::error_code error;
    auto body = json::parse(request.body, error);
    if (error) return refuse("an alert must be JSON");
    clerk_->alerts.push_back({clerk_->now(), std::move(body)});
    if (clerk_->alerts.size() > ClerkInstance::alerts_max) clerk_->alerts.pop_front();
    return answer(json::object{{"received", true}});
}

http::Response ClerkControl::clear_alerts(const http::Request& /*request*/) {
    clerk_->alerts.clear();
    return answer(json::object{{"alerts", json::array()}});
}

}  // namespace rollcall::sim
