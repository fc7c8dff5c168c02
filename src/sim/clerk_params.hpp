// The members of a request body, read with Clerk's rules: a member that the route does not know is
// 422 form_param_unknown, one of the wrong type 422 form_param_format_invalid. All complaints are
// collected, as Clerk does. Pure. `body` must outlive the reader.
#pragma once

#include "sim/clerk_error.hpp"

#include <boost/json/object.hpp>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::sim {

namespace json = boost::json;

class Params {
public:
    Params(const json::object& body, std::initializer_list<std::string_view> known);

    // Whether the member is there and not null.
    [[nodiscard]] bool has(std::string_view name) const;

    // Each leaves `into` as it is when the member is absent. null and "" clear a text; null leaves
    // a flag.
    void text(std::string_view name, std::optional<std::string>& into);
    void flag(std::string_view name, bool& into);
    void number(std::string_view name, std::optional<std::int64_t>& into);
    // RFC 3339, into unix milliseconds.
    void time(std::string_view name, std::optional<std::int64_t>& into);
    // An object replaces; null too, which Clerk then stores.
    void metadata(std::string_view name, json::value& into);
    // An object is merged into what is there, at every depth; a null removes its key.
    void merge_metadata(std::string_view name, json::value& into);

    [[nodiscard]] std::vector<std::string> texts(std::string_view name);
    // Parallel to a list of `count` values; empty means that all are verified.
    [[nodiscard]] std::vector<std::string> statuses(std::string_view name, std::size_t count);

    void complain(const ClerkError& error);
    void complain(std::string_view name, std::string_view why);
    [[nodiscard]] const std::optional<ClerkError>& error() const { return error_; }

private:
    [[nodiscard]] const json::value* find(std::string_view name) const;

    const json::object& body_;
    std::optional<ClerkError> error_;
};

// Unix milliseconds of 2012-10-20T07:15:20.902Z and of forms with another offset or precision.
[[nodiscard]] std::optional<std::int64_t> parse_rfc3339(std::string_view text);

}  // namespace rollcall::sim
