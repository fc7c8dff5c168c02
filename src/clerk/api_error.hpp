// Why a call of the Backend API has no result: Clerk's error body
// {"errors":[{"code",…}],"clerk_trace_id"} with the status, or that there was no answer. Only
// Clerk's codes and trace ids are kept: its texts may quote who somebody is.
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"

#include <expected>
#include <string>

namespace rollcall::clerk {

struct ApiError {
    ErrorCode kind = ErrorCode::unavailable;
    unsigned status = 0;   // 0: no answer
    std::string code;      // of Clerk's first error; "" when the body is none of Clerk's
    std::string trace_id;  // Clerk's, else that of the proxy before it (cf-ray); ""
    std::string message;   // says all of it, for logs and callers

    // Whether the same call may succeed later.
    [[nodiscard]] bool retryable() const { return rollcall::retryable(kind); }
    [[nodiscard]] Error error() const { return {kind, message}; }
};

template <class T>
using ApiResult = std::expected<T, ApiError>;

// Of an answer that is no success.
[[nodiscard]] ApiError read_api_error(const http::Response& response);

// The answer when its status is 200, else what it says.
[[nodiscard]] ApiResult<http::Response> success_of(http::Response response);

// An answer of 200 whose body is not `what` was asked for.
[[nodiscard]] Error strange_answer(std::string_view what);

}  // namespace rollcall::clerk
