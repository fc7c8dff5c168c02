// Characters and text by ASCII, whatever the locale. Every other byte is no letter and no digit,
// and stays as it is.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace rollcall {

[[nodiscard]] constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}
[[nodiscard]] constexpr bool is_alphanumeric(char c) {
    return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z');
}
// The characters that a URL has as they are wherever they stand: RFC 3986 section 2.3.
[[nodiscard]] constexpr bool is_unreserved(char c) {
    return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

[[nodiscard]] constexpr char to_lower(char c) {
    return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
}
[[nodiscard]] constexpr std::string to_lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = to_lower(c);
    return out;
}
[[nodiscard]] constexpr bool same_but_for_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(
        a, b, [](char one, char other) { return to_lower(one) == to_lower(other); });
}

// -1 for what is no hexadecimal digit.
[[nodiscard]] constexpr int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    const char lower = to_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// `%` and two digits, as RFC 3986 section 2.1 wants them: upper case.
constexpr void append_percent_escape(std::string& out, char c) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4U];
    out += digits[byte & 15U];
}
// All but unreserved characters are escaped.
constexpr void append_percent_encoded(std::string& out, std::string_view text) {
    for (const char c : text) {
        if (is_unreserved(c)) {
            out += c;
        } else {
            append_percent_escape(out, c);
        }
    }
}

// Without `blanks` at both ends.
[[nodiscard]] constexpr std::string_view trimmed(std::string_view text,
                                                 std::string_view blanks = " \t") {
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    return text.substr(0, text.find_last_not_of(blanks) + 1);
}

}  // namespace rollcall
