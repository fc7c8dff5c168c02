// Reads a User object out of a parsed text. Internal to this folder.
#pragma once

#include "clerk/user.hpp"

#include <simdjson.h>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::clerk {

inline constexpr std::size_t id_bytes_max = 255;  // Clerk's have 32

// The user; nothing without a usable `id`.
[[nodiscard]] std::optional<User> read_user(const simdjson::dom::object& object);

// Whether `id` can name a Clerk object: not empty, at most id_bytes_max, no control character, and
// not the word NULL, which is how users tables may say that a row has none.
[[nodiscard]] bool usable_id(std::string_view id);

}  // namespace rollcall::clerk
