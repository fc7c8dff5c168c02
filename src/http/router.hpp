// Method and path to handler. A path is literal segments and `{name}` for one segment. Unknown
// path: 404 {"error":"Not found"}; known path, other method: 405 with Allow. HEAD is answered as
// GET. The method "*" is any.
#pragma once

#include "base/task.hpp"
#include "http/message.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rollcall::http {

// May throw Unavailable: answered 503 with Retry-After. Any other exception: logged, 500.
using Handler = std::function<Task<Response>(Request&)>;

// Takes a request over once its head is there, and answers it piece by piece. Returns the answer
// instead when it has not begun one. May throw as a Handler may; the connection is closed where it
// had begun.
class ServerStream;
using StreamHandler = std::function<Task<std::optional<Response>>(ServerStream&)>;

class Router {
public:
    struct Route {
        std::vector<std::string> methods;
        std::string pattern;  // also the `route` label of metrics
        Handler handler;
        StreamHandler stream_handler;  // one of the two
        std::vector<std::string> segments;
        std::size_t index = 0;  // its place in routes()
    };

    // The same path may be added again for other methods. Two routes that could match the same
    // request are a bug, unless one is more literal: then that one goes first.
    void add(std::initializer_list<std::string_view> methods, std::string pattern, Handler handler);

    // All requests of the listener go there, whatever other routes there are. `name` is the label
    // of metrics.
    void add_stream(std::string name, StreamHandler handler);
    // Null where requests are read whole.
    [[nodiscard]] const Route* stream() const { return stream_; }

    struct Match {
        const Route* route = nullptr;  // null: no such path
        bool method_allowed = false;
        std::string allow;  // for 405
    };
    // Fills `request.path_parameters` of a match. Paths are compared as sent: nothing is decoded,
    // and `.` and `..` are never a {name}.
    [[nodiscard]] Match find(Request& request) const;

    [[nodiscard]] const std::deque<Route>& routes() const { return routes_; }

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };
    // The routes of one pattern, for different methods.
    using Group = std::vector<const Route*>;

    [[nodiscard]] const Group* group_for(std::string_view path) const;

    std::deque<Route> routes_;
    const Route* stream_ = nullptr;
    std::unordered_map<std::string, Group, Hash, std::equal_to<>> literal_;  // by pattern
    std::vector<Group> with_parameters_;  // more literal ones first
};

}  // namespace rollcall::http
