#include "gate/proxy.hpp"

#include "gate/verdict_answer.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace rollcall::gate {
namespace {

Verdict denied(Answer answer, std::string_view reason) {
    Verdict verdict;
    verdict.answer = answer;
    verdict.reason = reason;
    verdict.detail = "a sentence";
    return verdict;
}

TEST(Proxy, ARefusalsStatusSaysWhetherTryingAgainHelps) {
    EXPECT_EQ(proxy_status(denied(Answer::unauthenticated, "missing_token")), 401U);
    EXPECT_EQ(proxy_status(denied(Answer::unauthenticated, "session_revoked")), 401U);
    EXPECT_EQ(proxy_status(denied(Answer::forbidden, reason_bad_target)), 400U);
    for (const char* reason : {"policy_error", "sync_stale", "jwks_unavailable"}) {
        EXPECT_EQ(proxy_status(denied(Answer::forbidden, reason)), 503U) << reason;
    }
    for (const char* reason : {"not_admin", "user_deleted", "user_banned", "no_rule"}) {
        EXPECT_EQ(proxy_status(denied(Answer::forbidden, reason)), 403U) << reason;
    }
}

TEST(Proxy, ARefusalSaysWhatItIs) {
    const auto away = refusal(denied(Answer::forbidden, "sync_stale"), 503, "r1", true);
    EXPECT_EQ(away.status, 503U);
    EXPECT_EQ(away.headers.get("Retry-After"), "5");
    EXPECT_EQ(away.headers.get("WWW-Authenticate"), std::nullopt);
    EXPECT_EQ(away.body,
              R"({"type":"about:blank","title":"Service Unavailable","status":503,)"
              R"("instance":"r1","request_id":"r1","code":"sync_stale","detail":"a sentence"})");
    const auto odd = refusal(denied(Answer::forbidden, reason_bad_target), 400, "r1", false);
    EXPECT_EQ(odd.body, R"({"type":"about:blank","title":"Bad Request","status":400,)"
                        R"("instance":"r1","request_id":"r1"})");
    EXPECT_EQ(odd.headers.get("Retry-After"), std::nullopt);
    const auto none = refusal(denied(Answer::unauthenticated, "missing_token"), 401, "r1", true);
    EXPECT_EQ(none.headers.get("WWW-Authenticate"), R"(Bearer realm="rollcall")");
}

}  // namespace
}  // namespace rollcall::gate
