// Method and path to handler. A path is literal segments and `{name}` for one segment. Unknown
// path: 404 {"error":"Not found"}; known path, other method: 405 with Allow. HEAD is answered as
// GET.
#pragma once

#include "base/task.hpp"
#include "http/message.hpp"

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::http {

// May throw Unavailable: answered 503 with Retry-After. Any other exception: logged, 500.
using Handler = std::function<Task<Response>(Request&)>;

class Router {
public:
    struct Route {
        std::vector<std::string> methods;
        std::string pattern;  // also the `route` label of metrics
        Handler handler;
        std::vector<std::string> segments;
    };

    // Two routes that could match the same request are a bug, unless one is more literal.
    void add(std::initializer_list<std::string_view> methods, std::string pattern, Handler handler);

    struct Match {
        const Route* route = nullptr;  // null: no such path
        bool method_allowed = false;
        std::string allow;  // for 405
    };
    // Fills `request.path_parameters` of a match.
    [[nodiscard]] Match find(Request& request) const;

private:
    std::vector<Route> routes_;
};

}  // namespace rollcall::http
