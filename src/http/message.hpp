// HTTP/1.1 messages as plain values. Field names compare without regard to case.
#pragma once

#include "base/ascii.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rollcall::http {

// Whether two field names or tokens are the same: ASCII letters without regard to case.
[[nodiscard]] inline bool same_name(std::string_view a, std::string_view b) {
    return a.size() == b.size() && same_but_for_case(a, b);
}

class Fields {
public:
    using Field = std::pair<std::string, std::string>;

    void add(std::string_view name, std::string_view value);  // keeps fields of the same name
    void set(std::string_view name, std::string_view value);  // replaces them
    // The first value; nothing when absent.
    [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const;
    // How many fields have this name: security headers are only trusted when exactly one is there.
    [[nodiscard]] std::size_t count(std::string_view name) const;
    [[nodiscard]] std::span<const Field> all() const { return {fields_.data(), used_}; }
    // Empties it; some memory stays for the next message of the connection.
    void clear();

private:
    std::vector<Field> fields_;  // the first `used_` are there, the rest wait to be used again
    std::size_t used_ = 0;
};

struct Request {
    std::string method;  // as sent: GET, POST, …
    std::string target;  // as sent, origin form: /a/b?x=1
    std::string path;    // target up to '?', not decoded
    std::string query;   // after '?', not decoded
    Fields headers;
    std::string body;
    std::string remote_address;  // textual IP of the peer
    std::string client_address;  // the same, or for whom a trusted proxy speaks
    std::string request_id;      // X-Request-Id if sane, else made here
    std::map<std::string, std::string, std::less<>> path_parameters;  // {name} of the route
    Fields spare;  // empty, with the memory of the connection's last answer: to build the next in

    // The decoded value of a query parameter, the first of its name; nothing when absent or badly
    // encoded (half a percent sign, bytes that are not UTF-8, a zero byte).
    [[nodiscard]] std::optional<std::string> query_parameter(std::string_view name) const;
};

struct Response {
    unsigned status = 200;
    Fields headers;
    std::string body;

    static Response json(unsigned status, std::string body);  // Content-Type: application/json
    static Response text(unsigned status, std::string body);  // text/plain; charset=utf-8
    // {"error": message} with the code's status.
    static Response error(const Error& error);
};

}  // namespace rollcall::http
