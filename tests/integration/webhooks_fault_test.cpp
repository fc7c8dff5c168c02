#include "webhooks_fixture.hpp"

#include "support/fault_proxy.hpp"

#include <csignal>

namespace rollcall::webhooks {
namespace {

using namespace std::chrono_literals;

// A server that the tests may stop.
class WebhookFault : public testing::Test {
protected:
    static test::Postgres& server() {
        static test::Postgres own;
        return own;
    }
    static std::string event(const std::string& id) {
        return R"({"type":"user.created","timestamp":1762340400,"data":{"id":")" + id + R"("}})";
    }
    // Expects the answer for a database that is away, in time.
    static void expect_away(Door& door, const std::string& id) {
        const auto began = real_clock().steady();
        const auto response = door.post({.id = id, .body = event("user_" + id)});
        EXPECT_LT(real_clock().steady() - began, 2s);
        EXPECT_EQ(shown(response), R"(503 {"error":"Service unavailable"})");
        EXPECT_TRUE(response.headers.get("Retry-After"));
    }
    // Sends the event again and again, as its sender would, until it is taken.
    [[nodiscard]] bool taken(Door& door, const std::string& id) {
        return test::wait_until(
            io, [&] { return door.post({.id = id, .body = event("user_" + id)}).status == 202; });
    }

    test::Database db{test::Database::Content::migrated, server()};
    asio::io_context io;
};

TEST_F(WebhookFault, ADatabaseThatIsStoppedIsSaidInTimeAndWorksAgainLater) {
    Door door(io, db.config());
    ASSERT_TRUE(taken(door, "before"));
    server().stop_immediate();
    expect_away(door, "during");
    expect_away(door, "during");
    EXPECT_EQ(door.metric("rollcall_webhook_received_total{event_type=\"user.created\","
                          "result=\"unavailable\"}"),
              2);
    server().start();
    EXPECT_TRUE(taken(door, "during"));
    EXPECT_TRUE(taken(door, "after"));
    EXPECT_EQ(db.sql("SELECT string_agg(event_id, ' ' ORDER BY event_id) FROM job_queue"),
              "after before during");
}

TEST_F(WebhookFault, ADatabaseThatHangsIsSaidInTimeAndAnEventIsStoredOnce) {
    Door door(io, db.config());
    ASSERT_TRUE(taken(door, "before"));
    test::FaultProxy proxy(server().socket_path());
    pg::DatabaseConfig config = db.config();
    config.url =
        Secret(fmt::format("postgresql://postgres@127.0.0.1:{}/{}", proxy.port(), db.name()));
    Door slow(io, config);
    ASSERT_TRUE(taken(slow, "first"));
    proxy.stall(true);
    expect_away(slow, "hung");
    expect_away(slow, "hung");
    proxy.stall(false);
    EXPECT_TRUE(taken(slow, "hung"));
    EXPECT_EQ(db.sql("SELECT count(*) FROM job_queue WHERE event_id = 'hung'"), "1");
}

// The commit happened, its answer was lost: the sender is told to come again, and finds its job.
// fault 15
TEST_F(WebhookFault, ACommitWhoseAnswerWasLostIsADuplicateLater) {
    test::FaultProxy proxy(server().socket_path());
    pg::DatabaseConfig config = db.config();
    config.url =
        Secret(fmt::format("postgresql://postgres@127.0.0.1:{}/{}", proxy.port(), db.name()));
    Door door(io, config);
    ASSERT_TRUE(taken(door, "warm"));
    proxy.lose_answer_to("user_lost");
    expect_away(door, "lost");
    EXPECT_TRUE(taken(door, "lost"));
    EXPECT_EQ(db.sql("SELECT count(*) FROM job_queue WHERE event_id = 'lost'"), "1");
}

TEST_F(WebhookFault, TheRecordOfDeliveriesSurvivesAnOutage) {
    Door door(io, db.config());
    server().stop_immediate();
    for (int i = 0; i < 3; ++i) {
        door.post({.id = "msg_f", .body = "{}", .signature = "v1,AAAA"});
        EXPECT_THROW(door.run(door.deliveries.flush()), Unavailable);
    }
    server().start();
    EXPECT_TRUE(test::wait_until(io, [&] {
        try {
            door.run(door.deliveries.flush());
            return true;
        } catch (const Unavailable&) {
            return false;
        }
    }));
    EXPECT_EQ(db.sql("SELECT sum(count) FROM rollcall.deliveries WHERE outcome = 'refused'"), "3");
}

}  // namespace
}  // namespace rollcall::webhooks
