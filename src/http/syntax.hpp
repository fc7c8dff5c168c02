// The character rules of RFC 9110 and RFC 3986 that both ends of a connection need.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rollcall::http {

namespace detail {

consteval std::array<bool, 256> character_set(std::string_view others) {
    std::array<bool, 256> set{};
    for (char c = '0'; c <= '9'; ++c) set[static_cast<std::uint8_t>(c)] = true;
    for (char c = 'A'; c <= 'Z'; ++c) set[static_cast<std::uint8_t>(c)] = true;
    for (char c = 'a'; c <= 'z'; ++c) set[static_cast<std::uint8_t>(c)] = true;
    for (const char c : others) set[static_cast<std::uint8_t>(c)] = true;
    return set;
}

inline constexpr auto token_characters = character_set("!#$%&'*+-.^_`|~");
inline constexpr auto path_characters = character_set("/-._~%!$&'()*+,;=:@");
inline constexpr auto host_characters = character_set("-._~%!$&'()*+,;=:[]");
inline constexpr auto id_characters = character_set("-_.:/+=@~");

inline bool all_in(std::string_view text, const std::array<bool, 256>& set) {
    bool good = true;
    for (const char c : text) good &= set[static_cast<std::uint8_t>(c)];
    return good;
}

inline bool has_valid_escapes(std::string_view path) {
    for (std::size_t at = path.find('%'); at != std::string_view::npos;
         at = path.find('%', at + 1)) {
        const std::string_view digits = path.substr(at + 1, 2);
        if (digits.size() != 2 ||
            digits.find_first_not_of("0123456789ABCDEFabcdef") != std::string_view::npos) {
            return false;
        }
    }
    return true;
}

}  // namespace detail

[[nodiscard]] inline bool is_token(std::string_view text) {
    return !text.empty() && detail::all_in(text, detail::token_characters);
}

// What a field value may hold: visible characters, blanks, tabs and bytes above ASCII.
[[nodiscard]] inline bool is_field_value(std::string_view text) {
    unsigned bad = 0;
    for (const char c : text) {
        const auto byte = static_cast<std::uint8_t>(c);
        bad |= static_cast<unsigned>(byte < 0x20 && byte != '\t') |
               static_cast<unsigned>(byte == 0x7F);
    }
    return bad == 0;
}

[[nodiscard]] inline bool is_path(std::string_view path) {
    return path.starts_with('/') && detail::all_in(path, detail::path_characters) &&
           detail::has_valid_escapes(path);
}

// Wider than RFC 3986, which clients do not keep to: anything visible but '#'.
[[nodiscard]] inline bool is_query(std::string_view query) {
    return std::ranges::all_of(query, [](char c) { return c > 0x20 && c < 0x7F && c != '#'; });
}

}  // namespace rollcall::http
