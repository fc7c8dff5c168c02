// The door with a spool: what the database does not take is kept, and comes to it later, once, in
// the order of its arrival.
#include "webhooks_fixture.hpp"

#include "webhooks/spooling.hpp"

#include <filesystem>

namespace rollcall::webhooks {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr std::string_view traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

// A server that the tests may stop.
class WebhookSpool : public testing::Test {
protected:
    // The parts of a process; another one is another process on the same directory.
    struct Process {
        Process(asio::io_context& given, const pg::DatabaseConfig& database,
                const std::filesystem::path& dir, ManualClock& clock, WebhookConfig config)
            : io(given),
              pool(io.get_executor(), "intake", 2, database, metrics),
              intake(
                  io.get_executor(), config,
                  [this](std::span<const jobs::NewJob> jobs) { return commit(jobs); }, metrics),
              spool(io.get_executor(), {.dir = dir}),
              spooling(config, {}, {spool, intake, clock, spool_metrics}) {
            const auto opened = spooling.open();
            EXPECT_TRUE(opened) << opened.error().message;
        }
        ~Process() {
            test::run(io, intake.stop());
            EXPECT_TRUE(test::run(io, spool.stop(20s)));
            test::run(io, pool.stop());
        }
        Process(const Process&) = delete;
        Process& operator=(const Process&) = delete;

        Task<Result<std::vector<jobs::Enqueued>>> commit(std::span<const jobs::NewJob> jobs) {
            co_await sleep(commit_takes);
            co_return co_await queue.enqueue(jobs);
        }

        Duration commit_takes{};
        asio::io_context& io;
        MetricsRegistry metrics;
        pg::Pool pool;
        jobs::JobQueue queue{pool};
        Intake intake;
        SpoolMetrics spool_metrics{metrics};
        spool::Spool spool;
        Spooling spooling;
    };

    WebhookSpool() {
        std::string name = std::filesystem::temp_directory_path() / "rollcall-spool-XXXXXX";
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        root = name;
    }
    ~WebhookSpool() override {
        if (!server_up()) server().start();
        std::filesystem::remove_all(root);
    }

    static test::Postgres& server() {
        static test::Postgres own;
        return own;
    }
    [[nodiscard]] bool& server_up() { return up_; }
    void stop_server() {
        server().stop_immediate();
        up_ = false;
    }
    void start_server() {
        server().start();
        up_ = true;
    }

    Process process(WebhookConfig config = {.answer_timeout = 1500ms}) {
        return {io, db.config(), root / "spool", clock, std::move(config)};
    }

    // As the endpoint hands it over.
    Result<Stored> deliver(Process& to, const std::string& id, const std::string& body) {
        clock.advance(10ms);
        clerk::EventParser parser;
        auto job = job_of(parser.parse(body), clock.now(), {});
        EXPECT_TRUE(job);
        job->id = uuid_v7(clock.now().time_since_epoch().count(), random);
        job->event_id = id;
        job->original_event = storable(body);
        SpooledEvent delivery{.job_id = job->id,
                              .svix_id = id,
                              .sent_at = clock.now(),
                              .received_at = clock.now(),
                              .traceparent = std::string(traceparent),
                              .body = body};
        return test::run(io, to.spooling.store(*std::move(job), std::move(delivery)));
    }
    static std::string user(const std::string& id) {
        return R"({"object":"event","type":"user.created","timestamp":1762340400417,)"
               R"("data":{"id":")" +
               id + "\"}}";
    }
    // Without a type: kept for review, and the user is read again.
    static std::string unusable(const std::string& id) {
        return R"({"object":"event","data":{"id":")" + id + "\"}}";
    }
    // Until the database has taken all of it.
    void drain(Process& of) {
        EXPECT_TRUE(test::wait_until(io, [&] {
            try {
                while (test::run(io, of.spooling.drain()) > 0) {
                }
            } catch (const Unavailable&) {
                return false;
            }
            return of.spooling.stats().records == 0;
        }));
    }
    [[nodiscard]] std::string sql(const std::string& text) const { return db.sql(text, io); }
    // An application's trigger that does not let these rows of the queue in.
    void refuse(std::string_view rows, std::string_view code = "'P0001'") {
        db.sql(fmt::format("CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger "
                           "LANGUAGE plpgsql AS $$ BEGIN IF {} THEN RAISE EXCEPTION 'not this "
                           "one' USING ERRCODE = {}; END IF; RETURN NEW; END $$",
                           rows, code),
               io);
        db.sql(
            "CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON public.job_queue "
            "FOR EACH ROW EXECUTE FUNCTION public.refuse()",
            io);
    }

    test::Database db{test::Database::Content::migrated, server()};
    mutable asio::io_context io;
    std::filesystem::path root;
    Random random{7};
    ManualClock clock{SystemTime(1'762'340'400'000ms)};

private:
    bool up_ = true;
};

TEST_F(WebhookSpool, WhatTheDatabaseTakesIsNotSpooled) {
    auto one = process();
    const auto stored = deliver(one, "msg_a", user("user_a"));
    ASSERT_TRUE(stored) << stored.error().message;
    EXPECT_FALSE(stored->spooled);
    EXPECT_EQ(one.spooling.stats().records, 0U);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "1");
}

TEST_F(WebhookSpool, AnOutageIsBridgedInOrderWithTheIdsThatWereTold) {
    auto one = process();
    ASSERT_TRUE(deliver(one, "msg_before", user("user_before")));
    stop_server();
    std::string told;
    for (int i = 0; i < 150; ++i) {
        const std::string id = fmt::format("msg_{:03}", (i * 67) % 150);
        const auto kept = deliver(one, id, user("user_" + id));
        ASSERT_TRUE(kept) << kept.error().message;
        EXPECT_TRUE(kept->spooled);
        told += (told.empty() ? "" : " ") + kept->job_id;
    }
    EXPECT_EQ(one.spooling.stats().records, 150U);
    EXPECT_THROW(test::run(io, one.spooling.drain()), Unavailable);
    EXPECT_EQ(one.spooling.stats().records, 150U);
    start_server();
    drain(one);
    EXPECT_EQ(sql("SELECT string_agg(id::text, ' ' ORDER BY created_at) FROM job_queue "
                  "WHERE event_id <> 'msg_before'"),
              told);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE run_at = created_at AND status = 'PENDING' "
                  "AND created_at < now() - interval '1 hour'"),
              "150");
    EXPECT_EQ(sql(fmt::format("SELECT count(*) FROM job_queue WHERE trace = '{}'", traceparent)),
              "150");
    EXPECT_TRUE(std::filesystem::exists(root / "spool/lock"));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root / "spool"), {}), 1);
}

TEST_F(WebhookSpool, ARepetitionIsTheFirstJobWhereverThatIs) {
    std::string first;
    {
        auto one = process();
        stop_server();
        first = deliver(one, "msg_a", user("user_a"))->job_id;
        const auto again = deliver(one, "msg_a", user("user_a"));
        ASSERT_TRUE(again);
        EXPECT_TRUE(again->duplicate);
        EXPECT_EQ(again->job_id, first);
        EXPECT_EQ(one.spooling.stats().records, 1U);
    }
    auto two = process();  // a restart, the database still away
    const auto again = deliver(two, "msg_a", user("user_a"));
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->duplicate);
    EXPECT_EQ(again->job_id, first);
    start_server();
    drain(two);
    const auto later = deliver(two, "msg_a", user("user_a"));
    ASSERT_TRUE(later);
    EXPECT_TRUE(later->duplicate);
    EXPECT_EQ(later->job_id, first);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "1");
}

TEST_F(WebhookSpool, WhatIsDrainedTwiceIsOneJob) {
    auto one = process();
    stop_server();
    ASSERT_TRUE(deliver(one, "msg_a", user("user_a")));
    start_server();
    ASSERT_TRUE(test::wait_until(io, [&] { return test::run(io, one.pool.healthy(0ms)); }));
    // As after a crash between the commit and the end of the file.
    const std::filesystem::path copy = root / "copy";
    std::filesystem::copy(root / "spool", copy);
    drain(one);
    {
        std::filesystem::permissions(copy, std::filesystem::perms::owner_all);
        Process two(io, db.config(), copy, clock, {.answer_timeout = 1500ms});
        EXPECT_EQ(two.spooling.stats().records, 1U);
        drain(two);
        EXPECT_THAT(two.metrics.render(),
                    HasSubstr(R"(rollcall_spool_drained_total{result="duplicate"} 1)"));
    }
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "1");
}

// All at once they would not be stored in the time for an answer, ever again.
TEST_F(WebhookSpool, SlowCommitsAreDrainedOneByOne) {
    auto one = process({.answer_timeout = 1500ms, .batch_max = 1, .lanes = 1});
    stop_server();
    for (int i = 0; i < 20; ++i) {
        const std::string id = fmt::format("user_{}", i);
        ASSERT_TRUE(deliver(one, "msg_" + id, user(id)));
    }
    start_server();
    one.commit_takes = 100ms;
    drain(one);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "20");
}

TEST_F(WebhookSpool, WhatTheDatabaseRefusesIsKeptForReviewAndHoldsUpNobody) {
    auto one = process();
    stop_server();
    ASSERT_TRUE(deliver(one, "msg_a", user("user_a")));
    const auto odd = deliver(one, "msg_b", "no JSON at all");
    ASSERT_TRUE(odd);
    EXPECT_TRUE(odd->for_review);
    // Beyond what a timestamptz holds.
    ASSERT_TRUE(deliver(one, "msg_c",
                        R"({"type":"user.created","timestamp":1,"data":{"id":"user_c",)"
                        R"("created_at":9007199254740991}})"));
    ASSERT_TRUE(deliver(one, "msg_d", user("user_d")));
    start_server();
    drain(one);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "4");
    EXPECT_EQ(sql("SELECT status FROM job_queue WHERE event_id = 'msg_b'"), "FAILED");
    EXPECT_EQ(sql("SELECT status FROM job_queue WHERE event_id = 'msg_d'"), "PENDING");
}

TEST_F(WebhookSpool, WhatATriggerRefusesWithTheDatabaseThereIsToldToItsSender) {
    refuse("NEW.event_id = 'msg_x'");
    auto one = process();
    const auto refused = deliver(one, "msg_x", user("user_x"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::internal);
    EXPECT_EQ(one.spooling.stats().records, 0U);
}

// Its users are read again, but for the one of whom the database takes nothing.
TEST_F(WebhookSpool, WhatATriggerRefusesOfAUserIsKeptForReview) {
    auto one = process({.answer_timeout = 1500ms, .refresh_users = true});
    stop_server();
    for (const char* id : {"a", "x", "b"}) {
        ASSERT_TRUE(deliver(one, fmt::format("msg_{}", id), unusable(fmt::format("user_{}", id))));
    }
    ASSERT_TRUE(deliver(one, "msg_c", user("user_x")));
    start_server();
    refuse("NEW.subject = 'user_x'");
    drain(one);
    EXPECT_EQ(sql("SELECT string_agg(event_id, ' ' ORDER BY event_id) FROM job_queue "
                  "WHERE status = 'FAILED'"),
              "msg_a msg_b msg_c msg_x");
    EXPECT_EQ(sql("SELECT string_agg(subject, ' ' ORDER BY subject) FROM job_queue "
                  "WHERE job_type = 'REFRESH_USER'"),
              "user_a user_b");
    EXPECT_EQ(one.spooling.stats().damaged, 0U);
}

TEST_F(WebhookSpool, WhatATriggerRefusesInEveryFormHoldsUpNobodyAndIsKept) {
    auto one = process();
    stop_server();
    for (const char* id : {"a", "x", "b"}) {
        ASSERT_TRUE(deliver(one, fmt::format("msg_{}", id), user(fmt::format("user_{}", id))));
    }
    start_server();
    refuse("NEW.event_id = 'msg_x'");
    drain(one);
    EXPECT_EQ(sql("SELECT string_agg(event_id, ' ' ORDER BY event_id) FROM job_queue"),
              "msg_a msg_b");
    EXPECT_EQ(one.spooling.stats().damaged, 1U);
    EXPECT_THAT(one.metrics.render(),
                HasSubstr(R"(rollcall_spool_drained_total{result="refused"} 1)"));
}

// As if the server were away, full or read-only, or two had met.
TEST_F(WebhookSpool, WhateverCodeATriggerGivesItsRefusalItHoldsUpNobody) {
    auto one = process();
    stop_server();
    for (const char* code : {"40001", "53100", "57014", "57P03", "25006", "08006"}) {
        ASSERT_TRUE(deliver(one, fmt::format("msg_{}", code), user("user_x")));
    }
    ASSERT_TRUE(deliver(one, "msg_a", user("user_a")));
    start_server();
    refuse("NEW.event_id <> 'msg_a'", "substr(NEW.event_id, 5)");
    drain(one);
    EXPECT_EQ(sql("SELECT string_agg(event_id, ' ') FROM job_queue"), "msg_a");
    EXPECT_EQ(one.spooling.stats().damaged, 1U);
    EXPECT_THAT(one.metrics.render(),
                HasSubstr(R"(rollcall_spool_drained_total{result="refused"} 6)"));
}

TEST_F(WebhookSpool, WhereATriggerRefusesAllOfThemTheyWaitUntilOneIsTaken) {
    auto one = process();
    ASSERT_TRUE(deliver(one, "msg_before", user("user_before")));
    stop_server();
    ASSERT_TRUE(deliver(one, "msg_x", user("user_x")));
    ASSERT_TRUE(deliver(one, "msg_y", user("user_y")));
    start_server();
    refuse("NEW.event_id IN ('msg_x', 'msg_y')");
    EXPECT_THROW(test::run(io, one.spooling.drain()), Unavailable);
    EXPECT_EQ(one.spooling.stats().records, 2U);
    ASSERT_TRUE(deliver(one, "msg_a", user("user_a")));
    drain(one);
    EXPECT_EQ(sql("SELECT string_agg(event_id, ' ' ORDER BY created_at) FROM job_queue"),
              "msg_before msg_a");
    EXPECT_EQ(one.spooling.stats().damaged, 1U);
}

TEST_F(WebhookSpool, ARecordOfALaterBuildHoldsUpNobodyAndIsKept) {
    {
        auto one = process();
        stop_server();
        ASSERT_TRUE(deliver(one, "msg_a", user("user_a")));
        const auto kept =
            test::run(io, one.spool.append({clock.now(), "\x09 of a later build"}, 20s));
        ASSERT_TRUE(kept);
        ASSERT_TRUE(deliver(one, "msg_b", user("user_b")));
    }
    auto two = process();
    start_server();
    drain(two);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "2");
    EXPECT_EQ(two.spooling.stats().damaged, 1U);
}

TEST_F(WebhookSpool, AnEventOfATypeThatOnlyALaterBuildHandlesIsKeptForReview) {
    const SpooledEvent later{.job_id = uuid_v7(clock.now().time_since_epoch().count(), random),
                             .svix_id = "msg_a",
                             .sent_at = clock.now(),
                             .received_at = clock.now(),
                             .body = R"({"type":"team.created","data":{"id":"team_a"}})"};
    {
        auto one = process();
        stop_server();
        ASSERT_TRUE(test::run(io, one.spool.append({later.received_at, to_record(later)}, 20s)));
    }
    auto two = process();
    start_server();
    drain(two);
    EXPECT_EQ(sql("SELECT concat_ws(' ', id, event_id, job_type, status, error) FROM job_queue"),
              to_string(later.job_id) +
                  " msg_a UNKNOWN_EVENT FAILED Unusable event: this build does not handle its "
                  "type");
    EXPECT_EQ(sql("SELECT original_event FROM job_queue"), later.body);
}

TEST_F(WebhookSpool, WithoutASchemaEventsWaitForIt) {
    db.sql("ALTER TABLE public.job_queue RENAME TO away", io);
    auto one = process();
    const auto kept = deliver(one, "msg_a", user("user_a"));
    ASSERT_TRUE(kept) << kept.error().message;
    EXPECT_TRUE(kept->spooled);
    db.sql("ALTER TABLE public.away RENAME TO job_queue", io);
    drain(one);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "1");
}

TEST_F(WebhookSpool, NothingIsAcknowledgedTwiceFromADirectoryThatIsGone) {
    auto one = process();
    stop_server();
    ASSERT_TRUE(deliver(one, "msg_a", user("user_a")));
    std::filesystem::remove_all(root / "spool");
    const auto again = deliver(one, "msg_a", user("user_a"));
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->duplicate);  // it was written anew
    EXPECT_EQ(one.spooling.stats().records, 1U);
    start_server();
    drain(one);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "1");
}

TEST_F(WebhookSpool, TheDatabaseIsToldWhatThereIs) {
    auto one = process();
    stop_server();
    ASSERT_TRUE(deliver(one, "msg_a", user("user_a")));
    EXPECT_TRUE(one.spooling.silent_since());
    start_server();
    ASSERT_TRUE(test::wait_until(io, [&] { return test::run(io, one.pool.healthy(0ms)); }));
    clock.advance(1min);
    test::run(io, one.spooling.report(one.pool, "host:/spool", "first"));
    EXPECT_EQ(sql("SELECT concat_ws(' ', instance, events, damaged) FROM rollcall.spools"),
              "first 1 0");
    EXPECT_EQ(sql("SELECT now() - oldest_at BETWEEN '60 s' AND '80 s' FROM rollcall.spools"), "t");
    EXPECT_EQ(one.spooling.silent_since(), clock.now());
    drain(one);
    EXPECT_FALSE(one.spooling.silent_since());
    test::run(io, one.spooling.report(one.pool, "host:/spool", "second"));
    EXPECT_EQ(sql("SELECT concat_ws(' ', instance, events, oldest_at, moved_at IS NOT NULL) "
                  "FROM rollcall.spools"),
              "second 0 t");
}

}  // namespace
}  // namespace rollcall::webhooks
