// The query of a request, to the letter.
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"

#include <span>
#include <string_view>

namespace rollcall::admin {

// That each member is one of `known`, comes once, and can be read: invalid_input otherwise, since a
// filter that is misspelt and passed over would be a wider one.
[[nodiscard]] Result<void> check_query(const http::Request& request,
                                       std::span<const std::string_view> known);

}  // namespace rollcall::admin
