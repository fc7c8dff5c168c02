// What the control routes under /sim have in common: no key, but only callers on this machine that
// are not a web page of somewhere else.
#pragma once

#include "http/message.hpp"
#include "http/router.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace rollcall::sim {

using ControlAnswer = std::function<http::Response(const http::Request&)>;

// Whoever is not from_this_machine() gets 403 and `answer` is not asked.
void add_control_route(http::Router& router, std::string_view method, std::string pattern,
                       ControlAnswer answer);

// Whether a request may use /sim: its Host is this machine's, and so is its Origin if it has one. A
// page in the developer's browser must not steer the simulator, by name tricks or otherwise.
[[nodiscard]] bool from_this_machine(const http::Request& request);

}  // namespace rollcall::sim
