// A route of the admin API that answers GET with one JSON document, behind the admin token.
#pragma once

#include "base/secret.hpp"
#include "base/task.hpp"
#include "http/router.hpp"

#include <functional>
#include <string>

namespace rollcall::admin {

// `make` returns JSON text; when it throws Unavailable the answer is 503.
void add_json_route(http::Router& router, const Secret& token, std::string pattern,
                    std::function<Task<std::string>()> make);

}  // namespace rollcall::admin
