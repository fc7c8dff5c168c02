// Bodies of control routes, in and out. A refusal is 400 and says what is wrong.
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <initializer_list>
#include <string>
#include <string_view>

namespace rollcall::sim::control {

namespace json = boost::json;

[[nodiscard]] http::Response answer(const json::value& body);
[[nodiscard]] http::Response refuse(std::string message);
[[nodiscard]] http::Response not_found(std::string message);

// The body as an object; an empty body is an empty object.
[[nodiscard]] Result<json::object> body_of(const http::Request& request);
// The same, of members that are known: a misspelt one would be taken for one that is absent.
[[nodiscard]] Result<json::object> body_of(const http::Request& request,
                                           std::initializer_list<std::string_view> known);

// Reads a member that must have one type; complains through `error` when it has another.
[[nodiscard]] const json::value* typed(const json::object& body, std::string_view name,
                                       json::kind kind, std::string& error);

}  // namespace rollcall::sim::control
