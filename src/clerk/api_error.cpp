#include "clerk/api_error.hpp"

#include "clerk/json_document.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace rollcall::clerk {
namespace {

constexpr std::chrono::seconds longest_wait = std::chrono::hours(1);

// A word of Clerk's that may stand in a log line: anything else may be somebody's data.
std::string word(std::string_view text) {
    const bool plain = !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    });
    return plain ? std::string(text) : std::string();
}

// Of the body, else of the header, else the proxy's.
std::string trace_of(const http::Response& response, std::string_view of_body) {
    std::string trace = word(of_body);
    if (trace.empty()) trace = word(response.headers.get("x-clerk-trace-id").value_or(""));
    if (trace.empty()) trace = word(response.headers.get("cf-ray").value_or(""));
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
        error.code = word(code);
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

std::optional<std::chrono::seconds> retry_after(const http::Response& response) {
    const auto text = response.headers.get("Retry-After");
    if (!text) return std::nullopt;
    std::int64_t seconds = 0;
    const auto [stop, error] = std::from_chars(text->begin(), text->end(), seconds);
    if (stop != text->end() || seconds < 0) return std::nullopt;
    if (error == std::errc::result_out_of_range) return longest_wait;
    if (error != std::errc()) return std::nullopt;
    return std::min(std::chrono::seconds(seconds), longest_wait);
}

}  // namespace rollcall::clerk
