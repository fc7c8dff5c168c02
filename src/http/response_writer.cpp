#include "http/response_writer.hpp"

#include "http/syntax.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <chrono>

namespace rollcall::http {
namespace {

struct Reason {
    unsigned status;
    std::string_view phrase;
};

constexpr Reason reasons[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

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
    const auto* const found = std::ranges::find(reasons, status, &Reason::status);
    return found == std::end(reasons) ? "Unknown" : found->phrase;
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
        const Framing framing = head.framing.value_or(
            Framing{.kind = Framing::Kind::length, .length = response.body.size()});
        if (framing.kind == Framing::Kind::length) {
            const fmt::format_int length(framing.length);
            out += "\r\nContent-Length: ";
            out += std::string_view(length.data(), length.size());
        } else if (framing.kind == Framing::Kind::chunks) {
            out += "\r\nTransfer-Encoding: chunked";
        }
    }
    if (response.status == 101) out += "\r\nConnection: Upgrade";
    out += head.close ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n";
}

}  // namespace rollcall::http
