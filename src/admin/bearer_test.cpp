#include "admin/bearer.hpp"

#include <gtest/gtest.h>

namespace rollcall::admin {
namespace {

bool allowed(std::initializer_list<std::string_view> fields) {
    http::Request request;
    for (const auto value : fields) request.headers.add("authorization", value);
    return authorized(request, Secret("token-1"));
}

TEST(Bearer, TheSchemeHasNoCaseAndTheTokenHas) {
    for (const auto* given : {"Bearer token-1", "bearer token-1", "BEARER   token-1"}) {
        EXPECT_TRUE(allowed({given})) << given;
    }
    for (const auto* given : {"Bearer TOKEN-1", "Bearer token-12", "Bearer token-", "Bearer ",
                              "Bearer", "token-1", "Basic token-1", "Bearertoken-1", ""}) {
        EXPECT_FALSE(allowed({given})) << given;
    }
}

TEST(Bearer, ExactlyOneFieldIsReadAndAnEmptyTokenMatchesNothing) {
    EXPECT_FALSE(allowed({}));
    EXPECT_FALSE(allowed({"Bearer token-1", "Bearer token-1"}));
    http::Request request;
    request.headers.add("Authorization", "Bearer ");
    EXPECT_FALSE(authorized(request, Secret("")));
}

}  // namespace
}  // namespace rollcall::admin
