// The alarm that needs no database, against a sink that answers, fails and hangs.
#include "alerts/local_alarm.hpp"
#include "alerts_fixture.hpp"
#include "base/log.hpp"
#include "http/server.hpp"

#include <vector>

namespace rollcall::alerts {
namespace {

using testing::HasSubstr;

class LocalAlarmTest : public AlertsTest {
protected:
    LocalAlarmTest() {
        router.add({"POST"}, "/hook", [this](http::Request& request) -> Task<http::Response> {
            bodies.push_back(request.body);
            if (hangs) co_await sleep(1h);
            co_return http::Response::text(status, "ok");
        });
        EXPECT_TRUE(server.start());
        sink = std::make_unique<Sink>(
            io.get_executor(),
            SinkConfig{.url = Secret(fmt::format("http://127.0.0.1:{}/hook", server.port()))},
            registry);
        alarm = std::make_unique<LocalAlarm>(io.get_executor(), *sink,
                                             LocalCondition{"Spooling", [this] { return seen; }},
                                             policy, clock, registry);
    }
    void look(std::chrono::milliseconds after = 30s) {
        clock.advance(after);
        run(alarm->look());
    }

    http::Router router;
    http::Server server{
        io.get_executor(), {.listen = "127.0.0.1:0"}, router, http::make_server_metrics(registry)};
    std::vector<std::string> bodies;
    unsigned status = 200;
    bool hangs = false;
    ManualClock clock{SystemTime(1'700'000'060'000ms)};
    std::optional<Sighting> seen;
    std::unique_ptr<Sink> sink;
    std::unique_ptr<LocalAlarm> alarm;
    const Sighting waiting{.since = SystemTime(1'700'000'000'000ms),
                           .labels = R"({"place":"a"})",
                           .summary = "It waits"};
    const std::string active = R"(rollcall_alerts_active{alert="Spooling",scope="instance"})";
    log::Capture log;
};

TEST_F(LocalAlarmTest, SaysThatItBeganThatItGoesOnAndThatItIsOver) {
    look();
    EXPECT_TRUE(bodies.empty());
    EXPECT_FALSE(alarm->firing());
    EXPECT_THAT(registry.render(), HasSubstr(active + " 0\n"));
    seen = waiting;
    look();
    ASSERT_EQ(bodies.size(), 1U);
    EXPECT_THAT(registry.render(), HasSubstr(active + " 1\n"));
    EXPECT_EQ(alarm->firing().value().summary, "It waits");
    EXPECT_THAT(bodies[0],
                HasSubstr(R"("alert":"Spooling","status":"firing","summary":"It waits")"));
    EXPECT_THAT(bodies[0],
                HasSubstr(R"("since":"2023-11-14T22:13:20.000Z","labels":{"place":"a"})"));
    EXPECT_THAT(log.text(), HasSubstr("alert_firing"));
    look(59min);
    EXPECT_EQ(bodies.size(), 1U);
    look(2min);
    EXPECT_EQ(bodies.size(), 2U);
    seen.reset();
    look();
    EXPECT_EQ(bodies.size(), 2U);
    look(5min);
    ASSERT_EQ(bodies.size(), 3U);
    EXPECT_THAT(bodies[2], HasSubstr(R"("alert":"Spooling","status":"resolved")"));
    EXPECT_THAT(log.text(), HasSubstr("alert_resolved"));
    EXPECT_FALSE(alarm->firing());
    EXPECT_THAT(registry.render(), HasSubstr(active + " 0\n"));
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.alerts"), "0");
}

TEST_F(LocalAlarmTest, AMessageThatFailsIsTriedAgainAtTheNextLook) {
    seen = waiting;
    status = 503;
    look();
    EXPECT_EQ(bodies.size(), 1U);
    status = 200;
    look();
    EXPECT_EQ(bodies.size(), 2U);
    look();
    EXPECT_EQ(bodies.size(), 2U);
    EXPECT_THAT(log.text(), HasSubstr("alert_delivery_failed"));
}

TEST_F(LocalAlarmTest, AMessageThatIsRefusedIsNotRepeated) {
    seen = waiting;
    status = 404;
    look();
    look();
    EXPECT_EQ(bodies.size(), 1U);
    EXPECT_THAT(log.text(), HasSubstr("alert_not_delivered"));
}

TEST_F(LocalAlarmTest, AStopLeavesWhatIsBeingSent) {
    seen = waiting;
    hangs = true;
    bool ended = false;
    asio::co_spawn(io, alarm->look(), [&](const std::exception_ptr&) { ended = true; });
    ASSERT_TRUE(test::wait_until(io, [&] { return !bodies.empty(); }));
    EXPECT_FALSE(ended);
    alarm->stop();
    EXPECT_TRUE(test::wait_until(io, [&] { return ended; }));
    look();
    EXPECT_EQ(bodies.size(), 1U);
}

}  // namespace
}  // namespace rollcall::alerts
