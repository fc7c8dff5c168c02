// What Clerk's answer to GET /users/{id} says. Pure. Only Clerk's codes and trace ids get into a
// message: its texts may quote who somebody is.
#pragma once

#include "base/result.hpp"
#include "clerk/user.hpp"
#include "http/message.hpp"

#include <optional>
#include <string_view>

namespace rollcall::clerk {

// As BackendApi::get_user says, for the user `id`.
[[nodiscard]] Result<std::optional<User>> read_user_answer(const http::Response& response,
                                                           std::string_view id);

}  // namespace rollcall::clerk
