#include "http/response_writer.hpp"

#include "http/syntax.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <chrono>

namespace rollcall::http {
namespace {

bool is_framing(std::string_view name) {
    static constexpr std::array<std::string_view, 5> names{"Connection", "Content-Length", "Date",
                                                           "Transfer-Encoding", "X-Request-Id"};
    return std::ranges::any_of(names, [&](std::string_view other) {
        return name.size() == other.size() && same_name(name, other);
    });
}

}  // namespace

bool may_have_body(unsigned status) {
    return status >= 200 && status != 204 && status != 304;
}

std::string_view reason_phrase(unsigned status) {
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 301:
            return "Moved Permanently";
        case 302:
            return "Found";
        case 303:
            return "See Other";
        case 304:
            return "Not Modified";
        case 307:
            return "Temporary Redirect";
        case 308:
            return "Permanent Redirect";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 411:
            return "Length Required";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Content Too Large";
        case 415:
            return "Unsupported Media Type";
        case 417:
            return "Expectation Failed";
        case 422:
            return "Unprocessable Content";
        case 428:
            return "Precondition Required";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "Unknown";
    }
}

std::string http_date(std::int64_t unix_seconds) {
    static constexpr std::array<const char*, 7> weekdays{"Sun", "Mon", "Tue", "Wed",
                                                         "Thu", "Fri", "Sat"};
    static constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::chrono::sys_seconds time{std::chrono::seconds(unix_seconds)};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                       weekdays[std::chrono::weekday(day).c_encoding()], unsigned{date.day()},
                       months[unsigned{date.month()} - 1], int{date.year()}, clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count());
}

bool has_valid_fields(const Response& response) {
    return std::ranges::all_of(response.headers.all(), [](const Fields::Field& field) {
        return is_token(field.first) && is_field_value(field.second);
    });
}

void append_head(std::string& out, const Response& response, const ResponseHead& head) {
    out += "HTTP/1.1 ";
    out += std::string_view(fmt::format_int(response.status).data(), 3);
    out += ' ';
    out += reason_phrase(response.status);
    out += "\r\nDate: ";
    out += head.date;
    for (const auto& [name, value] : response.headers.all()) {
        if (is_framing(name)) continue;
        out += "\r\n";
        out += name;
        out += ": ";
        out += value;
    }
    if (!head.request_id.empty()) {
        out += "\r\nX-Request-Id: ";
        out += head.request_id;
    }
    if (may_have_body(response.status)) {
        const fmt::format_int length(response.body.size());
        out += "\r\nContent-Length: ";
        out += std::string_view(length.data(), length.size());
    }
    out += head.close ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n";
}

}  // namespace rollcall::http
