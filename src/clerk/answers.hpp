// What Clerk's answers say, one function for each call. Pure. A body is read as a whole: what is
// cut off, has something behind it or is another thing than what was asked for is unavailable.
#pragma once

#include "base/json_document.hpp"
#include "base/result.hpp"
#include "clerk/api_error.hpp"
#include "clerk/backend_api.hpp"
#include "clerk/user.hpp"
#include "http/message.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace rollcall::clerk {

// As BackendApi::get_user says, for the user `id`.
[[nodiscard]] Result<std::optional<User>> read_user_answer(const ApiResult<http::Response>& answer,
                                                           std::string_view id);

// As BackendApi::list_users; `document` lends its buffers. `with_cursor`: starting_after was given.
[[nodiscard]] Result<std::vector<User>> read_page_answer(const ApiResult<http::Response>& answer,
                                                         JsonDocument& document, bool with_cursor);

[[nodiscard]] Result<std::int64_t> read_count_answer(const ApiResult<http::Response>& answer);

[[nodiscard]] Result<Instance> read_instance_answer(const ApiResult<http::Response>& answer);

}  // namespace rollcall::clerk
