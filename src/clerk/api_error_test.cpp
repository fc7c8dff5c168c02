#include "clerk/api_error.hpp"

#include <gtest/gtest.h>

namespace rollcall::clerk {
namespace {

ApiError error_of(unsigned status, std::string body, const http::Fields& headers = {}) {
    http::Response response = http::Response::json(status, std::move(body));
    for (const auto& [name, value] : headers.all()) response.headers.add(name, value);
    return read_api_error(response);
}

constexpr const char* of_clerk =
    R"({"errors":[{"code":"some_code","message":"m","long_message":"l"}],)"
    R"("clerk_trace_id":"0123456789abcdef0123456789abcdef"})";

TEST(ReadApiError, CarriesStatusCodeTraceAndKind) {
    const struct {
        unsigned status;
        ErrorCode kind;
        bool retryable;
    } cases[] = {
        {400, ErrorCode::internal, false},   {401, ErrorCode::unauthenticated, false},
        {403, ErrorCode::forbidden, false},  {404, ErrorCode::not_found, false},
        {422, ErrorCode::internal, false},   {429, ErrorCode::rate_limited, true},
        {500, ErrorCode::unavailable, true}, {503, ErrorCode::unavailable, true},
        {302, ErrorCode::unavailable, true},
    };
    for (const auto& one : cases) {
        const ApiError error = error_of(one.status, of_clerk);
        EXPECT_EQ(error.kind, one.kind) << one.status;
        EXPECT_EQ(error.retryable(), one.retryable) << one.status;
        EXPECT_EQ(error.status, one.status);
        EXPECT_EQ(error.code, "some_code");
        EXPECT_EQ(error.trace_id, "0123456789abcdef0123456789abcdef");
        EXPECT_NE(error.message.find("some_code"), std::string::npos);
        EXPECT_NE(error.message.find("0123456789abcdef"), std::string::npos);
    }
}

// A proxy in between, a wrong path: nothing of it is Clerk's word.
TEST(ReadApiError, WhatIsNotInClerksFormIsUnavailable) {
    for (const unsigned status : {400U, 403U, 404U, 422U, 502U}) {
        for (const char* body : {"", "<html></html>", R"({"errors":[]})", R"({"errors":{}})"}) {
            const ApiError error = error_of(status, body);
            EXPECT_EQ(error.kind, ErrorCode::unavailable) << status << body;
            EXPECT_TRUE(error.code.empty());
            EXPECT_NE(error.message.find(std::to_string(status)), std::string::npos);
        }
    }
}

TEST(ReadApiError, TheTraceIsTheBodysElseTheHeadersElseTheProxys) {
    http::Fields headers;
    headers.add("CF-Ray", "8f3b2c1d4e5f6a7b-FRA");
    EXPECT_EQ(error_of(502, "", headers).trace_id, "8f3b2c1d4e5f6a7b-FRA");
    headers.add("X-Clerk-Trace-Id", "cafe");
    EXPECT_EQ(error_of(502, "", headers).trace_id, "cafe");
    EXPECT_EQ(error_of(500, of_clerk, headers).trace_id, "0123456789abcdef0123456789abcdef");
}

TEST(ReadApiError, RepeatsOnlyPlainWords) {
    http::Fields headers;
    headers.add("Retry-After", "jo@mail.example");
    const ApiError error =
        error_of(429,
                 R"({"errors":[{"code":"no jo@mail.example","long_message":"sk_live_abc"}],)"
                 R"("clerk_trace_id":"jo@mail.example"})",
                 headers);
    EXPECT_EQ(error.code, "unknown");
    EXPECT_EQ(error.message.find("mail.example"), std::string::npos);
    EXPECT_EQ(error.message.find("sk_live"), std::string::npos);
}

}  // namespace
}  // namespace rollcall::clerk
