#include "http/router.hpp"

#include <algorithm>
#include <set>

namespace rollcall::http {
namespace {

bool is_parameter(std::string_view segment) {
    return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

std::string_view parameter_name(std::string_view segment) {
    return segment.substr(1, segment.size() - 2);
}

// The segments of "/a/b" are "a" and "b"; of "/a/" they are "a" and "".
std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> segments;
    while (!path.empty()) {
        path.remove_prefix(1);
        const std::size_t end = std::min(path.find('/'), path.size());
        segments.emplace_back(path.substr(0, end));
        path.remove_prefix(end);
    }
    return segments;
}

bool has_parameters(const Router::Route& route) {
    return std::ranges::any_of(route.segments, is_parameter);
}

void check_pattern(const Router::Route& route) {
    ensure(route.pattern.starts_with('/'), "route: a pattern starts with /");
    ensure(!route.methods.empty(), "route: at least one method");
    ensure(route.handler != nullptr, "route: a handler");
    std::set<std::string_view> names;
    for (const std::string& segment : route.segments) {
        if (is_parameter(segment)) {
            ensure(names.insert(segment).second, "route: parameter names differ");
        } else {
            ensure(segment.find_first_of("{}%?#") == std::string::npos,
                   "route: a segment is literal or one {name}");
        }
    }
}

// One letter a segment. Sorts what is literal further to the left first.
std::string shape(const Router::Route& route) {
    std::string text;
    for (const std::string& segment : route.segments) text += is_parameter(segment) ? 'p' : 'l';
    return text;
}

// Of two routes of the same shape: whether they differ in the names of parameters at most.
bool same_paths(const Router::Route& a, const Router::Route& b) {
    return std::ranges::equal(a.segments, b.segments, [](const auto& left, const auto& right) {
        return left == right || (is_parameter(left) && is_parameter(right));
    });
}

bool matches(const std::vector<std::string>& segments, std::string_view path) {
    for (const std::string& segment : segments) {
        if (path.empty()) return false;
        path.remove_prefix(1);
        const std::string_view part = path.substr(0, std::min(path.find('/'), path.size()));
        if (is_parameter(segment)) {
            if (part.empty() || part == "." || part == "..") return false;
        } else if (part != segment) {
            return false;
        }
        path.remove_prefix(part.size());
    }
    return path.empty();
}

// "*" is any method.
bool has_method(const Router::Route& route, std::string_view method) {
    return std::ranges::any_of(
        route.methods, [method](const std::string& one) { return one == method || one == "*"; });
}

std::string allowed_methods(const std::vector<const Router::Route*>& group) {
    std::set<std::string> methods;
    for (const Router::Route* route : group) {
        methods.insert(route->methods.begin(), route->methods.end());
    }
    if (methods.contains("GET")) methods.insert("HEAD");
    std::string text;
    for (const std::string& method : methods) {
        if (!text.empty()) text += ", ";
        text += method;
    }
    return text;
}

}  // namespace

void Router::add(std::initializer_list<std::string_view> methods, std::string pattern,
                 Handler handler) {
    Route& route = routes_.emplace_back(Route{.methods = {methods.begin(), methods.end()},
                                              .pattern = std::move(pattern),
                                              .handler = std::move(handler),
                                              .stream_handler = {},
                                              .segments = {},
                                              .index = routes_.size()});
    route.segments = split(route.pattern);
    check_pattern(route);

    const auto join = [&](Group& group) {
        for (const Route* other : group) {
            for (const std::string& method : route.methods) {
                ensure(!has_method(*other, method), "route: added twice");
            }
        }
        group.push_back(&route);
    };
    if (!has_parameters(route)) {
        join(literal_[route.pattern]);
        return;
    }
    auto place = with_parameters_.begin();
    for (; place != with_parameters_.end(); ++place) {
        const Route& other = *place->front();
        if (other.pattern == route.pattern) return join(*place);
        if (shape(other) > shape(route)) break;
        ensure(shape(other) != shape(route) || !same_paths(other, route),
               "route: two patterns fit the same path");
    }
    with_parameters_.insert(place, Group{&route});
}

void Router::add_stream(std::string name, StreamHandler handler) {
    ensure(stream_ == nullptr && handler != nullptr, "route: one handler of streams");
    stream_ = &routes_.emplace_back(Route{.methods = {"GET"},
                                          .pattern = std::move(name),
                                          .handler = {},
                                          .stream_handler = std::move(handler),
                                          .segments = {},
                                          .index = routes_.size()});
}

const Router::Group* Router::group_for(std::string_view path) const {
    if (const auto found = literal_.find(path); found != literal_.end()) return &found->second;
    for (const Group& group : with_parameters_) {
        if (matches(group.front()->segments, path)) return &group;
    }
    return nullptr;
}

Router::Match Router::find(Request& request) const {
    const Group* group = group_for(request.path);
    if (group == nullptr) return {};
    Match match{.route = group->front(), .method_allowed = false, .allow = {}};
    const auto choose = [&](std::string_view method) {
        for (const Route* route : *group) {
            if (has_method(*route, method)) {
                match.route = route;
                match.method_allowed = true;
                return true;
            }
        }
        return false;
    };
    if (!choose(request.method) && !(request.method == "HEAD" && choose("GET"))) {
        match.allow = allowed_methods(*group);
        return match;
    }
    std::string_view rest = request.path;
    for (const std::string& segment : match.route->segments) {
        rest.remove_prefix(1);
        const std::string_view part = rest.substr(0, std::min(rest.find('/'), rest.size()));
        if (is_parameter(segment)) {
            request.path_parameters.insert_or_assign(std::string(parameter_name(segment)),
                                                     std::string(part));
        }
        rest.remove_prefix(part.size());
    }
    return match;
}

}  // namespace rollcall::http
