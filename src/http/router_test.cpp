#include "http/router.hpp"

#include <gtest/gtest.h>

namespace rollcall::http {
namespace {

Task<Response> nothing(Request&) {
    co_return Response{};
}

class RouterTest : public testing::Test {
protected:
    // "pattern" of the route that takes it, "405 allow" or "404".
    std::string ask(std::string method, std::string path) {
        request_ = {};
        request_.method = std::move(method);
        request_.path = std::move(path);
        const Router::Match match = router_.find(request_);
        if (match.route == nullptr) return "404";
        return match.method_allowed ? match.route->pattern : "405 " + match.allow;
    }

    Router router_;
    Request request_;
};

TEST_F(RouterTest, LiteralPathsMatchExactly) {
    router_.add({"GET"}, "/", nothing);
    router_.add({"POST"}, "/webhooks/clerk", nothing);
    EXPECT_EQ(ask("POST", "/webhooks/clerk"), "/webhooks/clerk");
    EXPECT_EQ(ask("GET", "/"), "/");
    for (const char* path : {"/webhooks/clerk/", "//webhooks/clerk", "/webhooks//clerk",
                             "/webhooks/Clerk", "/webhooks/%63lerk", "/webhooks/./clerk",
                             "/x/../webhooks/clerk", "/webhooks", "/webhooks/clerk/x", "*", ""}) {
        EXPECT_EQ(ask("POST", path), "404") << path;
    }
}

TEST_F(RouterTest, OtherMethodsAreToldWhatIsAllowed) {
    router_.add({"GET", "POST"}, "/a", nothing);
    router_.add({"DELETE"}, "/a", nothing);
    EXPECT_EQ(ask("PUT", "/a"), "405 DELETE, GET, HEAD, POST");
    EXPECT_EQ(ask("get", "/a"), "405 DELETE, GET, HEAD, POST");
    EXPECT_EQ(ask("DELETE", "/a"), "/a");
}

TEST_F(RouterTest, HeadIsAnsweredAsGet) {
    router_.add({"GET"}, "/a", nothing);
    router_.add({"POST"}, "/b", nothing);
    EXPECT_EQ(ask("HEAD", "/a"), "/a");
    EXPECT_EQ(ask("HEAD", "/b"), "405 POST");
}

TEST_F(RouterTest, AStarIsAnyMethod) {
    router_.add({"*"}, "/gate/decide", nothing);
    for (const char* method : {"GET", "HEAD", "OPTIONS", "DELETE", "PROPFIND", "get", "*"}) {
        EXPECT_EQ(ask(method, "/gate/decide"), "/gate/decide") << method;
    }
    EXPECT_EQ(ask("GET", "/gate"), "404");
}

TEST_F(RouterTest, ParametersAreOneSegmentAsSent) {
    router_.add({"GET"}, "/users/{id}/jobs/{job}", nothing);
    EXPECT_EQ(ask("GET", "/users/user_1/jobs/7%2F8"), "/users/{id}/jobs/{job}");
    EXPECT_EQ(request_.path_parameters.at("id"), "user_1");
    EXPECT_EQ(request_.path_parameters.at("job"), "7%2F8");
    for (const char* path : {"/users//jobs/7", "/users/a/b/jobs/7", "/users/a/jobs/",
                             "/users/a/jobs", "/users/../jobs/1", "/users/./jobs/1"}) {
        EXPECT_EQ(ask("GET", path), "404") << path;
    }
}

TEST_F(RouterTest, TheMoreLiteralRouteGoesFirst) {
    router_.add({"GET"}, "/{a}/{b}", nothing);
    router_.add({"GET"}, "/{a}/count", nothing);
    router_.add({"GET"}, "/users/{id}", nothing);
    router_.add({"GET"}, "/users/count", nothing);
    router_.add({"POST"}, "/users/{id}", nothing);
    EXPECT_EQ(ask("GET", "/users/count"), "/users/count");
    EXPECT_EQ(ask("GET", "/users/x"), "/users/{id}");
    EXPECT_EQ(ask("POST", "/users/x"), "/users/{id}");
    EXPECT_EQ(ask("GET", "/things/count"), "/{a}/count");
    EXPECT_EQ(ask("GET", "/things/x"), "/{a}/{b}");
    EXPECT_EQ(ask("POST", "/users/count"), "405 GET, HEAD");
}

TEST_F(RouterTest, RoutesKnowTheirPlace) {
    router_.add({"GET"}, "/b", nothing);
    router_.add({"GET"}, "/{a}", nothing);
    for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(router_.routes()[i].index, i);
}

using RouterDeathTest = RouterTest;

TEST_F(RouterDeathTest, AmbiguousOrMalformedRoutesAreBugs) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    router_.add({"GET"}, "/users/{id}", nothing);
    EXPECT_DEATH(router_.add({"POST"}, "/users/{name}", nothing), "fit the same path");
    EXPECT_DEATH(router_.add({"GET"}, "/users/{id}", nothing), "added twice");
    EXPECT_DEATH(router_.add({"GET"}, "users", nothing), "starts with /");
    EXPECT_DEATH(router_.add({"GET"}, "/a{b}", nothing), "literal or one");
    EXPECT_DEATH(router_.add({"GET"}, "/{a}/{a}", nothing), "names differ");
    EXPECT_DEATH(router_.add({}, "/a", nothing), "at least one method");
}

}  // namespace
}  // namespace rollcall::http
