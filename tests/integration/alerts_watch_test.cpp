// Alerts from the condition to the message: one message whatever number of instances, over restarts
// and an address that fails, hangs or refuses.
#include "alerts/watch.hpp"
#include "alerts_fixture.hpp"
#include "base/log.hpp"
#include "http/server.hpp"

#include <vector>

namespace rollcall::alerts {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class AlertWatchTest : public AlertsTest {
protected:
    AlertWatchTest() {
        router.add({"POST"}, "/hook/{token}",
                   [this](http::Request& request) -> Task<http::Response> {
                       bodies.push_back(request.body);
                       if (hangs) co_await sleep(1h);
                       co_return http::Response::text(status, "ok");
                   });
        EXPECT_TRUE(server.start());
        sink_config.url =
            Secret(fmt::format("http://127.0.0.1:{}/hook/secret-token", server.port()));
    }

    std::unique_ptr<Watch> watch(const std::string& instance = "one") {
        return std::make_unique<Watch>(
            io.get_executor(), pool,
            AlertsConfig{.evaluator = {.instance = instance,
                                       .interval = 20ms,
                                       .policy = policy,
                                       .conditions = thresholds},
                         .sink = sink_config,
                         .messenger = {.attempts_max = 3, .backoff = {1ms, 1ms}}},
            circuits, job_metrics, registries.emplace_back());
    }
    // "SyncFailing firing", in the order of arrival.
    [[nodiscard]] std::vector<std::string> heard() const {
        std::vector<std::string> out;
        for (const std::string& body : bodies) {
            out.push_back(
                sql(fmt::format("SELECT (j->>'alert') || ' ' || (j->>'status') FROM "
                                "(SELECT $j${}$j$::jsonb AS j) AS t",
                                body)));
        }
        return out;
    }
    [[nodiscard]] bool wait_until(const std::function<bool()>& condition) {
        return test::wait_until(io, condition);
    }
    // A few rounds of all that runs.
    void some_rounds() {
        (void)test::wait_until(io, [] { return false; }, 150ms);
    }

    http::Router router;
    http::Server server{
        io.get_executor(), {.listen = "127.0.0.1:0"}, router, http::make_server_metrics(registry)};
    SinkConfig sink_config;
    std::deque<MetricsRegistry> registries;
    std::vector<std::string> bodies;
    unsigned status = 200;
    bool hangs = false;
    log::Capture log;
};

TEST_F(AlertWatchTest, ListsWhatThisInstanceKnowsWithoutTheDatabaseToo) {
    const auto one = watch();
    const AlertMessage own{.alert = "Spooling",
                           .summary = "It waits",
                           .since = SystemTime(1'700'000'000'000ms),
                           .labels = R"({"place":"a"})"};
    EXPECT_EQ(run(one->list(std::nullopt, false)), R"({"complete":false,"alerts":[]})");
    const std::string entry =
        R"({"alert":"Spooling","status":"firing","summary":"It waits",)"
        R"("since":"2023-11-14T22:13:20.000Z","resolved_at":null,"labels":{"place":"a"}})";
    EXPECT_EQ(run(one->list(own, false)), R"({"complete":false,"alerts":[)" + entry + "]}");
    EXPECT_EQ(run(one->list(own, true)), R"({"complete":true,"alerts":[)" + entry + "]}");
    // What the database tells of it is about all instances.
    sql("INSERT INTO rollcall.alerts (alert, firing, since, summary, labels) "
        "VALUES ('Spooling', true, now(), 'They wait', '{}')");
    EXPECT_THAT(run(one->list(own, true)), HasSubstr("They wait"));
    EXPECT_THAT(run(one->list(own, true)), Not(HasSubstr("It waits")));
}

TEST_F(AlertWatchTest, SaysThatItBeganAndThatItIsOver) {
    job("USER_CREATED", "PENDING", 10);
    const auto one = watch();
    one->start();
    ASSERT_TRUE(wait_until([&] { return bodies.size() == 1; }));
    EXPECT_THAT(bodies[0], HasSubstr(R"("alert":"QueueStuck","status":"firing")"));
    EXPECT_THAT(bodies[0], HasSubstr(R"("labels":{"queue": "users"})"));
    EXPECT_THAT(run(one->list(std::nullopt, true)),
                HasSubstr(R"("alert":"QueueStuck","status":"firing")"));
    EXPECT_THAT(log.text(), HasSubstr("alert_firing"));
    sql("TRUNCATE public.job_queue");
    ASSERT_TRUE(wait_until([&] {
        return sql("SELECT unseen_since FROM rollcall.alerts WHERE alert = 'QueueStuck'") != "";
    }));
    later(6);
    ASSERT_TRUE(wait_until([&] { return bodies.size() == 2; }));
    EXPECT_THAT(heard(), ElementsAre("QueueStuck firing", "QueueStuck resolved"));
    EXPECT_THAT(run(one->list(std::nullopt, true)), HasSubstr(R"("status":"resolved")"));
    EXPECT_THAT(log.text(), HasSubstr("alert_resolved"));
    run(one->stop());
}

TEST_F(AlertWatchTest, ManyInstancesSendOneMessage) {
    job("USER_CREATED", "FAILED", 1);
    std::vector<std::unique_ptr<Watch>> all;
    for (const char* name : {"one", "two", "three"}) all.push_back(watch(name));
    for (const auto& one : all) one->start();
    ASSERT_TRUE(wait_until([&] { return !bodies.empty(); }));
    some_rounds();
    EXPECT_THAT(heard(), ElementsAre("DeadLetters firing"));
    for (const auto& one : all) run(one->stop());
}

TEST_F(AlertWatchTest, WhoComesAfterGoesOnFromThere) {
    job("USER_CREATED", "FAILED", 1);
    for (int start = 0; start < 3; ++start) {
        const auto one = watch(fmt::format("start {}", start));
        one->start();
        ASSERT_TRUE(wait_until([&] { return !bodies.empty(); }));
        some_rounds();
        run(one->stop());
    }
    EXPECT_THAT(heard(), ElementsAre("DeadLetters firing"));
    later(60);
    const auto reminded = watch("four");
    reminded->start();
    ASSERT_TRUE(wait_until([&] { return bodies.size() == 2; }));
    run(reminded->stop());
}

TEST_F(AlertWatchTest, AnAddressThatFailsIsTriedAgainAndGivenUpAfterSoMany) {
    status = 503;
    job("USER_CREATED", "FAILED", 1);
    const auto one = watch();
    one->start();
    ASSERT_TRUE(
        wait_until([&] { return log.text().find("alert_not_delivered") != std::string::npos; }));
    EXPECT_EQ(bodies.size(), 3U);
    EXPECT_TRUE(wait_until([&] { return notice("DeadLetters").empty(); }));
    EXPECT_THAT(log.text(), HasSubstr("status 503"));
    EXPECT_THAT(std::string(log.text()), Not(HasSubstr("secret-token")));
    status = 200;
    later(60);
    ASSERT_TRUE(wait_until([&] { return bodies.size() == 4; }));
    run(one->stop());
}

TEST_F(AlertWatchTest, ARefusalIsFinal) {
    status = 404;
    job("USER_CREATED", "FAILED", 1);
    const auto one = watch();
    one->start();
    ASSERT_TRUE(
        wait_until([&] { return log.text().find("alert_not_delivered") != std::string::npos; }));
    some_rounds();
    EXPECT_EQ(bodies.size(), 1U);
    run(one->stop());
}

TEST_F(AlertWatchTest, AnAddressThatHangsHoldsUpNoDecisionAndNoEnd) {
    hangs = true;
    job("USER_CREATED", "FAILED", 1);
    const auto one = watch();
    one->start();
    ASSERT_TRUE(wait_until([&] { return bodies.size() == 1; }));
    job("USER_CREATED", "PENDING", 10);
    EXPECT_TRUE(wait_until([&] { return notice("QueueStuck") == "firing"; }));
    const auto begun = std::chrono::steady_clock::now();
    run(one->stop());
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
    EXPECT_EQ(notice("DeadLetters"), "firing");  // left to the next
}

TEST_F(AlertWatchTest, WithoutAnAddressThereIsLogMetricAndList) {
    sink_config.url = Secret();
    job("USER_CREATED", "FAILED", 1);
    const auto one = watch();
    one->start();
    ASSERT_TRUE(wait_until([&] { return log.text().find("alert_firing") != std::string::npos; }));
    EXPECT_THAT(registries.back().render(),
                HasSubstr("rollcall_alerts_active{alert=\"DeadLetters\"} 1"));
    EXPECT_THAT(run(one->list(std::nullopt, true)), HasSubstr("DeadLetters"));
    run(one->stop());
    EXPECT_THAT(registries.back().render(),
                HasSubstr("rollcall_alerts_active{alert=\"DeadLetters\"} 0"));
    EXPECT_TRUE(bodies.empty());
}

TEST_F(AlertWatchTest, AConditionThatCannotBeReadHoldsUpNoOther) {
    sql("ALTER TABLE rollcall.deliveries RENAME TO hidden");
    job("USER_CREATED", "FAILED", 1);
    const auto one = watch();
    one->start();
    EXPECT_TRUE(wait_until([&] { return bodies.size() == 1; }));
    EXPECT_THAT(log.text(), HasSubstr("alert_condition_not_read"));
    run(one->stop());
    sql("ALTER TABLE rollcall.hidden RENAME TO deliveries");
}

}  // namespace
}  // namespace rollcall::alerts
