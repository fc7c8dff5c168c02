#include "clerk/api_error.hpp"

#include "base/json_document.hpp"
#include "http/answer.hpp"

#include <string_view>

namespace rollcall::clerk {
namespace {

using http::loggable_word;

// Of the body, else of the header, else the proxy's.
std::string trace_of(const http::Response& response, std::string_view of_body) {
    std::string trace = loggable_word(of_body);
    if (trace.empty()) trace = loggable_word(response.headers.get("x-clerk-trace-id").value_or(""));
    if (trace.empty()) trace = loggable_word(response.headers.get("cf-ray").value_or(""));
    return trace;
}

// What a status means. That Clerk knows nothing of the kind, or that a path is wrong, differ.
ErrorCode kind_of(unsigned status, bool of_clerk) {
    switch (status) {
        case 401:
            return ErrorCode::unauthenticated;
        case 403:
            return of_clerk ? ErrorCode::forbidden : ErrorCode::unavailable;
        case 404:
            return of_clerk ? ErrorCode::not_found : ErrorCode::unavailable;
        case 429:
            return ErrorCode::rate_limited;
        case 400:
        case 422:
            return of_clerk ? ErrorCode::internal : ErrorCode::unavailable;
        default:
            return ErrorCode::unavailable;
    }
}

std::string text_of(const ApiError& error, const http::Response& response) {
    const std::string trace = error.trace_id.empty() ? "unknown" : error.trace_id;
    if (error.status == 401) {
        return "Clerk refuses the secret key (" + (error.code.empty() ? "unknown" : error.code) +
               ", trace " + trace + "); check CLERK_SECRET_KEY";
    }
    const std::string status = std::to_string(error.status);
    std::string text =
        error.code.empty()
            ? "status " + status + " without an error of Clerk's, trace " + trace
            : "Clerk answered " + status + " (" + error.code + ", trace " + trace + ")";
    if (const auto wait = retry_after(response)) {
        text += ", retry after " + std::to_string(wait->count()) + " s";
    }
    return text;
}

}  // namespace

ApiError read_api_error(const http::Response& response) {
    ApiError error;
    error.status = response.status;
    JsonDocument document;
    std::string_view code;
    std::string_view trace;
    bool of_clerk = false;
    if (const auto root = document.parse(response.body)) {
        if ((*root)["clerk_trace_id"].get_string().get(trace) != simdjson::SUCCESS) trace = "";
        of_clerk = (*root)["errors"].at(0)["code"].get_string().get(code) == simdjson::SUCCESS;
    }
    if (of_clerk) {
        error.code = loggable_word(code);
        if (error.code.empty()) error.code = "unknown";
    }
    error.trace_id = trace_of(response, trace);
    error.kind = kind_of(error.status, of_clerk);
    error.message = text_of(error, response);
    return error;
}

ApiResult<http::Response> success_of(http::Response response) {
    if (response.status == 200) return response;
    return std::unexpected(read_api_error(response));
}

Error strange_answer(std::string_view what) {
    return {ErrorCode::unavailable, "Clerk answered 200 with something that is not " +
                                        std::string(what) + "; is clerk.api_url right?"};
}

}  // namespace rollcall::clerk
