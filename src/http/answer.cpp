#include "http/answer.hpp"

#include "base/ascii.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace rollcall::http {
namespace {

constexpr std::chrono::seconds longest_wait = std::chrono::hours(1);
constexpr std::size_t word_bytes_max = 64;

}  // namespace

std::optional<std::chrono::seconds> retry_after(const Response& response) {
    const auto text = response.headers.get("Retry-After");
    if (!text) return std::nullopt;
    std::int64_t seconds = 0;
    const auto [stop, error] = std::from_chars(text->begin(), text->end(), seconds);
    if (stop != text->end() || seconds < 0) return std::nullopt;
    if (error == std::errc::result_out_of_range) return longest_wait;
    if (error != std::errc()) return std::nullopt;
    return std::min(std::chrono::seconds(seconds), longest_wait);
}

std::string loggable_word(std::string_view text) {
    const auto plain = [](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; };
    const bool word = text.size() <= word_bytes_max && std::ranges::all_of(text, plain);
    return word ? std::string(text) : std::string();
}

}  // namespace rollcall::http
