// Why something failed, as it may stand in a row and in a log line: short, valid UTF-8, without the
// values that a database quotes in what it says of data.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace rollcall::jobs {

inline constexpr std::size_t reason_bytes_max = 1000;

// Control characters become spaces, bytes that are not UTF-8 "?"; cut between characters.
[[nodiscard]] std::string clean_reason(std::string_view text);

[[nodiscard]] std::string reason_of(const std::exception& failure);

}  // namespace rollcall::jobs
