#include "sim/control_json.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace rollcall::sim::control {

http::Response answer(const json::value& body) {
    return http::Response::json(200, json::serialize(body));
}

http::Response refuse(std::string message) {
    return http::Response::error({ErrorCode::invalid_input, std::move(message)});
}

http::Response not_found(std::string message) {
    return http::Response::error({ErrorCode::not_found, std::move(message)});
}

Result<json::object> body_of(const http::Request& request) {
    if (request.body.empty()) return json::object();
    boost::system::error_code error;
    auto value = json::parse(request.body, error);
    if (error || !value.is_object()) {
        return fail(ErrorCode::invalid_input, "the body must be a JSON object");
    }
    return std::move(value.get_object());
}

Result<json::object> body_of(const http::Request& request,
                             std::initializer_list<std::string_view> known) {
    auto body = body_of(request);
    if (!body) return body;
    for (const auto& [name, value] : *body) {
        if (std::ranges::find(known, std::string_view(name)) == known.end()) {
            return fail(ErrorCode::invalid_input, std::string(name) + " is not known");
        }
    }
    return body;
}

const json::value* typed(const json::object& body, std::string_view name, json::kind kind,
                         std::string& error) {
    const auto* value = body.if_contains(name);
    if (value == nullptr || value->kind() == kind) return value;
    error = std::string(name) + " has the wrong type";
    return nullptr;
}

}  // namespace rollcall::sim::control
