#include "http/date.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace rollcall::http {
namespace {

constexpr std::string_view form = "Sun, 06 Nov 1994 08:49:37 GMT";

std::optional<unsigned> digits(std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
    if (error != std::errc{} || end != text.end()) return std::nullopt;
    return value;
}

std::optional<unsigned> month(std::string_view name) {
    static constexpr std::array<std::string_view, 12> months{
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto* const found = std::ranges::find(months, name);
    if (found == months.end()) return std::nullopt;
    return static_cast<unsigned>(found - months.begin()) + 1;
}

bool has_form(std::string_view text) {
    return text.size() == form.size() && text.substr(3, 2) == ", " && text[7] == ' ' &&
           text[11] == ' ' && text[16] == ' ' && text[19] == ':' && text[22] == ':' &&
           text.ends_with(" GMT");
}

}  // namespace

std::optional<SystemTime> parse_http_date(std::string_view text) {
    if (!has_form(text)) return std::nullopt;
    const auto day_number = digits(text.substr(5, 2));
    const auto month_number = month(text.substr(8, 3));
    const auto year_number = digits(text.substr(12, 4));
    const auto hour = digits(text.substr(17, 2));
    const auto minute = digits(text.substr(20, 2));
    const auto second = digits(text.substr(23, 2));
    if (!day_number || !month_number || !year_number || !hour || !minute || !second) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year_number)),
                                           std::chrono::month(*month_number),
                                           std::chrono::day(*day_number)};
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
           std::chrono::seconds(*second);
}

}  // namespace rollcall::http
