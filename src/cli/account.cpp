#include "cli/account.hpp"

#include "base/clock.hpp"

#include <fmt/format.h>
#include <cstdio>

namespace rollcall::cli {
namespace {

// 12:03:04.512 of an RFC 3339 time.
std::string time_of_day() {
    return to_rfc3339(real_clock().now()).substr(11, 12);
}

}  // namespace

void Account::heading(std::string_view text) const {
    fmt::print("\n{}{}{}\n", colours_ ? "\x1b[1m" : "", text, colours_ ? "\x1b[0m" : "");
    std::fflush(stdout);
}

void Account::line(std::string_view label, std::string_view text) const {
    fmt::print("  {:<12} {}\n", label, text);
    std::fflush(stdout);
}

void Account::event(std::string_view kind, std::string_view subject,
                    std::string_view detail) const {
    moment(kind, "\x1b[36m", subject, detail);
}

void Account::row(std::string_view subject, std::string_view detail) const {
    moment("row", "\x1b[32m", subject, detail);
}

void Account::pass(std::string_view mode, std::string_view detail) const {
    moment("pass", "\x1b[33m", mode, detail);
}

void Account::moment(std::string_view what, std::string_view colour, std::string_view subject,
                     std::string_view detail) const {
    fmt::print("{}  {}{:<13}{} {:<32} {}\n", time_of_day(), colours_ ? colour : "", what,
               colours_ ? "\x1b[0m" : "", subject, detail);
    std::fflush(stdout);
}

}  // namespace rollcall::cli
