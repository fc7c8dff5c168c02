#include "jobs_fixture.hpp"

#include "jobs/queue_admin.hpp"

#include <libpq-fe.h>
#include <set>

namespace rollcall::jobs {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class AdminTest : public JobsTest {
protected:
    QueueAdmin admin{pool};

    JobPage list(const JobFilter& filter) {
        auto page = run(admin.list(filter));
        EXPECT_TRUE(page) << page.error().message;
        return std::move(*page);
    }
    std::vector<std::string> ids(const JobFilter& filter) {
        std::vector<std::string> all;
        for (const auto& job : list(filter).jobs) all.push_back(job.id);
        return all;
    }
    std::string made(const std::string& state, const std::string& age,
                     const std::string& kind = "USER_CREATED") const {
        return sql(
            fmt::format("INSERT INTO job_queue (job_type, status, created_at, subject) "
                        "VALUES ('{2}', '{0}', now() - interval '{1}', 'user_1') "
                        "RETURNING id",
                        state, age, kind));
    }
    // What the server says beside the answer.
    [[nodiscard]] std::string notices(const std::string& text) const {
        std::string said;
        PGconn* connection = PQconnectdb(db.url().c_str());
        PQsetNoticeReceiver(
            connection,
            [](void* to, const PGresult* notice) {
                *static_cast<std::string*>(to) +=
                    PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
            },
            &said);
        PQclear(PQexec(connection, text.c_str()));
        PQfinish(connection);
        return said;
    }
};

TEST_F(AdminTest, ListIsNewestFirstWhateverTheAge) {
    const std::vector newest_first{made("COMPLETED", "1 minute"), made("FAILED", "2 hours"),
                                   made("COMPLETED", "3 days"), made("PENDING", "40 days")};
    EXPECT_EQ(ids({}), newest_first);
}

TEST_F(AdminTest, ListFilters) {
    const auto a = made("COMPLETED", "1 minute");
    const auto b = made("FAILED", "2 hours");
    const auto c = made("PENDING", "3 days");
    const auto d = made("PENDING", "4 days", "REFRESH_USER");
    const auto e = made("PROCESSING", "5 days", "REFRESH_USER");
    sql(fmt::format("UPDATE job_queue SET event_id = 'msg_1', subject = 'user_2' WHERE id = '{}'",
                    b));
    EXPECT_EQ(ids({.status = "COMPLETED"}), std::vector{a});
    EXPECT_EQ(ids({.status = "FAILED"}), std::vector{b});
    EXPECT_EQ(ids({.status = "PENDING"}), (std::vector{c, d}));
    EXPECT_EQ(ids({.kind = "REFRESH_USER"}), (std::vector{d, e}));
    EXPECT_EQ(ids({.status = "PENDING", .kind = "REFRESH_USER"}), std::vector{d});
    EXPECT_EQ(ids({.event_id = "msg_1"}), std::vector{b});
    EXPECT_EQ(ids({.subject = "user_2"}), std::vector{b});
    EXPECT_TRUE(ids({.subject = "nobody"}).empty());
}

TEST_F(AdminTest, PagesMeetWithoutAGapOrARepetition) {
    sql("INSERT INTO job_queue (job_type, status, created_at) SELECT 'USER_CREATED', 'COMPLETED', "
        "now() - n / 7 * interval '3 hours' FROM generate_series(1, 100) n");
    std::set<std::string> seen;
    std::string last = "9999";
    JobFilter filter{.limit = 9};
    int pages = 0;
    do {
        const auto page = list(filter);
        for (const auto& job : page.jobs) {
            EXPECT_TRUE(seen.insert(job.id).second);
            EXPECT_LE(job.created_at, last);
            last = job.created_at;
        }
        filter.after = page.next;
        ++pages;
    } while (filter.after);
    EXPECT_EQ(seen.size(), 100U);
    EXPECT_EQ(pages, 12);
}

TEST_F(AdminTest, ListRefusesNonsense) {
    for (const JobFilter& filter :
         {JobFilter{.status = "DONE"}, JobFilter{.after = "x"}, JobFilter{.after = "x,y"}}) {
        const auto page = run(admin.list(filter));
        ASSERT_FALSE(page);
        EXPECT_EQ(page.error().code, ErrorCode::invalid_input);
    }
}

TEST_F(AdminTest, ShowTellsEverything) {
    const auto id = enqueue({event("msg_1")})[0].id;
    const auto job = run(admin.show(id));
    ASSERT_TRUE(job);
    EXPECT_EQ(job->summary.kind, "USER_CREATED");
    EXPECT_EQ(job->summary.status, "PENDING");
    EXPECT_EQ(job->summary.event_id, "msg_1");
    EXPECT_EQ(job->summary.priority, 2);
    EXPECT_THAT(job->payload, HasSubstr("a@example.com"));
    EXPECT_EQ(job->original_event, R"({"type":"user.created"})");
    ASSERT_EQ(job->history.size(), 1U);
    EXPECT_EQ(job->history[0].status, "PENDING");
    EXPECT_EQ(job->history[0].at, job->summary.created_at);
    EXPECT_THAT(job->summary.created_at, testing::MatchesRegex("....-..-..T..:..:..\\.......Z"));
}

TEST_F(AdminTest, HistoryHoldsEveryStepWithItsReason) {
    const auto id = add("REFRESH_USER");
    EXPECT_TRUE(run(queue.retry(claim().at(0), std::chrono::milliseconds(0), "busy", true)));
    EXPECT_TRUE(run(queue.bury(claim().at(0), "hopeless")));
    EXPECT_TRUE(run(admin.retry(id)));
    EXPECT_TRUE(run(queue.complete(claim().at(0), "{}")));
    const auto job = run(admin.show(id));
    ASSERT_TRUE(job);
    std::vector<std::string> steps;
    std::string last;
    for (const auto& step : job->history) {
        steps.push_back(fmt::format("{} {} {} {}", step.status, step.attempt.value_or(0),
                                    step.error, step.worker));
        EXPECT_GE(step.at, last);
        last = step.at;
    }
    EXPECT_EQ(steps, (std::vector<std::string>{"PENDING 0  ", "PROCESSING 1  w1", "PENDING 1 busy ",
                                               "PROCESSING 2  w1", "FAILED 2 hopeless ",
                                               "PENDING 0 retried on request ", "PROCESSING 1  w1",
                                               "COMPLETED 1  "}));
}

TEST_F(AdminTest, AFusedCompletionIsToldByProcessedAt) {
    const auto id = add("USER_CREATED");
    sql("UPDATE job_queue SET status = 'COMPLETED', attempts = 1, processed_at = now(), "
        "updated_at = now()");
    EXPECT_EQ(history(id), "PENDING COMPLETED");
    EXPECT_EQ(column(id, fmt::format("(SELECT at FROM rollcall.job_history('{}') "
                                     "WHERE status = 'COMPLETED') = processed_at",
                                     id)),
              "true");
}

TEST_F(AdminTest, UnknownAndMalformedIdsAreToldApart) {
    for (const auto* id : {"01a2003d-b678-77f8-bc5d-f45e2b4b6a49"}) {
        EXPECT_EQ(run(admin.show(id)).error().code, ErrorCode::not_found);
        EXPECT_EQ(run(admin.retry(id)).error().code, ErrorCode::not_found);
        EXPECT_EQ(run(admin.cancel(id)).error().code, ErrorCode::not_found);
    }
    EXPECT_EQ(run(admin.show("7")).error().code, ErrorCode::invalid_input);
    EXPECT_EQ(run(admin.retry("7")).error().code, ErrorCode::invalid_input);
}

TEST_F(AdminTest, AnEventKeptForReviewIsNotRetried) {
    for (const char* kind : {"UNKNOWN_EVENT", "USER_UPDATED"}) {
        const auto id = made("FAILED", "1 minute", kind);
        sql(
            fmt::format("UPDATE job_queue SET subject = NULL, event_id = 'msg_{0}', "
                        "original_event = '{{}}', error = 'Unusable event: it has no type' "
                        "WHERE id = '{1}'",
                        kind, id));
        const auto refused = run(admin.retry(id));
        ASSERT_FALSE(refused) << kind;
        EXPECT_EQ(refused.error().code, ErrorCode::conflict);
        EXPECT_THAT(refused.error().message, testing::HasSubstr("it has no type"));
        EXPECT_THAT(refused.error().message, testing::HasSubstr(std::string("msg_") + kind));
        EXPECT_EQ(status(id), "FAILED");
        sql(fmt::format("UPDATE job_queue SET subject = 'user_a' WHERE id = '{}'", id));
        if (std::string_view(kind) == "USER_UPDATED") EXPECT_TRUE(run(admin.retry(id)));
        sql(fmt::format("DELETE FROM job_queue WHERE id = '{}'", id));
    }
}

TEST_F(AdminTest, EventsKeptForReviewAreNotSetGoingBySqlEither) {
    auto kept = event("msg_1");
    kept.failed = true;
    kept.error = "Unusable event: it has no usable data.id";
    kept.payload = R"({"clerk_id":null})";
    kept.subject = std::nullopt;
    auto unknown = kept;
    unknown.id = uuid_v7(1, random);
    unknown.event_id = "msg_2";
    unknown.kind = unknown_event;
    const auto stored = enqueue({kept, unknown});
    for (const auto& job : stored) {
        EXPECT_EQ(sql(fmt::format("SELECT rollcall.retry_job('{}')", job.id)), "f");
    }
    const auto failed = made("FAILED", "1 minute", "USER_CREATED");
    EXPECT_EQ(sql("SELECT rollcall.retry_failed('UNKNOWN_EVENT')"), "0");
    EXPECT_EQ(sql("SELECT rollcall.retry_failed()"), "1");
    EXPECT_EQ(status(failed), "PENDING");
    for (const auto& job : stored) {
        EXPECT_EQ(column(job.id, "status || jsonb_array_length(history)"), "FAILED1");
    }
    // What is said of them.
    EXPECT_EQ(notices(fmt::format("SELECT rollcall.retry_job('{}')", stored[0].id)),
              "job " + stored[0].id + " is an event kept for review: it cannot be retried");
    EXPECT_EQ(notices("SELECT rollcall.retry_failed()"),
              "2 events kept for review were left: they cannot be retried");
    EXPECT_EQ(notices("SELECT rollcall.retry_failed('REFRESH_USER')"), "");
}

TEST_F(AdminTest, OnlyLegalTransitions) {
    // Where the function took a job in `state`; "no" when it refused and left it there.
    const auto allowed = [&](const std::string& state, const std::string& function) {
        const auto id = made(state, "1 minute", "REFRESH_USER");
        const bool done = sql(fmt::format("SELECT rollcall.{}('{}')", function, id)) == "t";
        const auto now = status(id);
        return done ? now : now == state ? std::string("no") : "refused, but " + now;
    };
    EXPECT_EQ(allowed("FAILED", "retry_job"), "PENDING");
    EXPECT_EQ(allowed("CANCELLED", "retry_job"), "PENDING");
    EXPECT_EQ(allowed("PENDING", "retry_job"), "no");
    EXPECT_EQ(allowed("PROCESSING", "retry_job"), "no");
    EXPECT_EQ(allowed("COMPLETED", "retry_job"), "no");
    EXPECT_EQ(allowed("PENDING", "cancel_job"), "CANCELLED");
    EXPECT_EQ(allowed("PROCESSING", "cancel_job"), "CANCELLED");
    EXPECT_EQ(allowed("COMPLETED", "cancel_job"), "no");
    EXPECT_EQ(allowed("FAILED", "cancel_job"), "no");
    EXPECT_EQ(allowed("CANCELLED", "cancel_job"), "no");
    const auto refused = run(admin.cancel(made("COMPLETED", "1 minute")));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::conflict);
    EXPECT_THAT(refused.error().message, HasSubstr("is COMPLETED: it cannot be cancelled"));
}

TEST_F(AdminTest, RetryStartsOverAndCancelFences) {
    const auto id = add("REFRESH_USER");
    const auto job = claim().at(0);
    EXPECT_TRUE(run(admin.cancel(id)));
    EXPECT_EQ(column(id, "concat_ws('|', status, fence, leased_by IS NULL, processed_at IS NULL)"),
              "CANCELLED|2|t|f");
    EXPECT_EQ(run(queue.complete(job, "{}")).error().code, ErrorCode::conflict);
    sql("UPDATE job_queue SET attempts = 7, payload = payload || '{\"retry_count\":7}'");
    EXPECT_TRUE(run(admin.retry(id)));
    EXPECT_EQ(column(id,
                     "concat_ws('|', status, attempts, payload->>'retry_count', "
                     "processed_at IS NULL, error IS NULL, run_at <= now())"),
              "PENDING|0|0|t|t|t");
    EXPECT_EQ(claim().at(0).fence, 3);
    EXPECT_EQ(run(queue.complete(job, "{}")).error().code, ErrorCode::conflict);
}

TEST_F(AdminTest, ABlankedJobIsNotRetried) {
    const auto id = made("FAILED", "40 days");
    sql("UPDATE job_queue SET blanked_at = now()");
    const auto refused = run(admin.retry(id));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("personal data was removed"));
    EXPECT_EQ(sql("SELECT rollcall.retry_failed()"), "0");
    EXPECT_EQ(status(id), "FAILED");
}

TEST_F(AdminTest, RetryFailedTakesAllOrOneKind) {
    for (int i = 0; i < 3; ++i) made("FAILED", "1 minute");
    made("FAILED", "1 minute", "REFRESH_USER");
    made("CANCELLED", "1 minute", "REFRESH_USER");
    EXPECT_EQ(sql("SELECT rollcall.retry_failed('REFRESH_USER')"), "1");
    EXPECT_EQ(sql("SELECT rollcall.retry_failed()"), "3");
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status = 'PENDING'"), "4");
}

// fault 46
TEST_F(AdminTest, OperatorsAndWorkersRaceAndOneWins) {
    sql("SELECT rollcall.enqueue('REFRESH_USER', '{}') FROM generate_series(1, 60)");
    auto jobs = claim(60);
    int done = 0;
    int completed = 0;
    int cancelled = 0;
    for (const auto& job : jobs) {
        spawn(io.get_executor(), "worker", [](auto& to, Job it, int& wins, int& ended) -> Task<> {
            wins += co_await to.complete(it, "{}") ? 1 : 0;
            ++ended;
        }(queue, job, completed, done));
        spawn(io.get_executor(), "operator",
              [](auto& to, std::string id, int& wins, int& ended) -> Task<> {
                  wins += co_await to.cancel(id) ? 1 : 0;
                  ++ended;
              }(admin, job.id, cancelled, done));
        spawn(io.get_executor(), "another", [](auto& to, std::string id, int& ended) -> Task<> {
            (void)co_await to.retry(id);
            ++ended;
        }(admin, job.id, done));
    }
    ASSERT_TRUE(wait_until([&] { return done == 180; }));
    EXPECT_EQ(completed + cancelled, 60);
    EXPECT_EQ(std::stoi(sql("SELECT count(*) FROM job_queue WHERE status = 'COMPLETED'")),
              completed);
    // Every history is a legal walk.
    EXPECT_EQ(sql("SELECT string_agg(DISTINCT walk, ', ') FILTER (WHERE walk NOT IN "
                  "('PENDING PROCESSING COMPLETED', 'PENDING PROCESSING CANCELLED', "
                  "'PENDING PROCESSING CANCELLED PENDING')) FROM (SELECT (SELECT "
                  "string_agg(h.status, ' ' ORDER BY h.at) FROM rollcall.job_history(j.id) h) AS "
                  "walk FROM job_queue j) w"),
              "");
}

TEST_F(AdminTest, StatsCountByKindAndStatus) {
    made("PENDING", "1 minute");
    sql("UPDATE job_queue SET run_at = now() + interval '1 hour'");
    made("PENDING", "2 minutes");
    sql("UPDATE job_queue SET processed_at = created_at + interval '10 s' WHERE id = '" +
        made("COMPLETED", "1 minute", "REFRESH_USER") + "'");
    const auto counts = run(admin.stats());
    ASSERT_EQ(counts.size(), 2U);
    EXPECT_EQ(counts[0].kind, "REFRESH_USER");
    EXPECT_EQ(counts[0].status, "COMPLETED");
    EXPECT_EQ(counts[0].average_seconds, 10.0);
    EXPECT_EQ(counts[1].jobs, 2);
    EXPECT_EQ(counts[1].due, 1);
    EXPECT_FALSE(counts[1].average_seconds);
}

TEST_F(AdminTest, DepthCountsWhatIsNotFinished) {
    add("USER_CREATED");
    add("REFRESH_USER", 1, "now() + interval '1 hour'");
    made("FAILED", "1 minute");
    made("COMPLETED", "1 minute");
    const auto depth = run(admin.depth());
    ASSERT_EQ(depth.size(), 3U);
    EXPECT_EQ(depth[0].queue, "users");
    EXPECT_EQ(depth[0].ready, 1);
    EXPECT_EQ(depth[0].dead, 1);
    EXPECT_EQ(depth[1].queue, "effects");
    EXPECT_EQ(depth[1].scheduled, 1);
    EXPECT_EQ(depth[1].oldest_ready_age_seconds, 0);
    EXPECT_EQ(depth[2].queue, "mirror");
}

TEST_F(AdminTest, StuckNamesTheReason) {
    const auto running = add("REFRESH_USER");
    claim();
    const auto foreign = made("PROCESSING", "3 hours");
    const auto waiting = made("PENDING", "3 hours");
    const auto lapsed = add("REFRESH_USER");
    claim();
    made("PENDING", "1 minute");
    add("REFRESH_USER", 1, "now() + interval '1 hour'");
    sql(
        fmt::format("UPDATE job_queue SET updated_at = now() - interval '2 hours' "
                    "WHERE status = 'PROCESSING'"));
    sql(fmt::format("UPDATE job_queue SET run_at = created_at WHERE id = '{}'", waiting));
    lapse(lapsed);
    std::map<std::string, std::string> reasons;
    for (const auto& job : run(admin.stuck(seconds(3600)))) reasons[job.id] = job.reason;
    EXPECT_EQ(reasons, (std::map<std::string, std::string>{
                           {running, "still running"},
                           {foreign, "PROCESSING without a lease"},
                           {lapsed, "its lease lapsed and it was not rescued"},
                           {waiting, "due, and not taken"}}));
}

class SqlFunctions : public AdminTest {};

TEST_F(SqlFunctions, EnqueueWakesAndDeduplicates) {
    const auto id =
        sql("SELECT rollcall.enqueue('USER_UPDATED', "
            "'{\"clerk_id\":\"user_7\"}', event_id => 'msg_1')");
    EXPECT_EQ(column(id, "concat_ws('|', priority, subject, status, run_at <= created_at)"),
              "1|user_7|PENDING|t");
    EXPECT_EQ(sql("SELECT rollcall.enqueue('USER_UPDATED', '{}', event_id => 'msg_1')"), id);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "1");
    EXPECT_EQ(id[14], '7');  // the version of the UUID
    EXPECT_EQ(column(sql("SELECT rollcall.enqueue('REFRESH_USER', '{}', NULL, NULL)"),
                     "concat_ws('|', priority, run_at = created_at)"),
              "1|t");
}

TEST_F(SqlFunctions, AChangeWithoutAVersionHasItsPayloadsTimeOrThatOfItsArrival) {
    const auto version = [&](const std::string& told) {
        return sql("SELECT rollcall.payload_version('{\"created_at\": " + told +
                   "}', '2026-01-02T00:00:00Z')");
    };
    EXPECT_EQ(version(R"("2026-01-01T00:00:00.123Z")"), "1767225600123");
    EXPECT_EQ(version(R"("2026-01-01T02:00:00+02:00")"), "1767225600000");
    EXPECT_EQ(version(R"("2026-01-01 00:00:00.9999999+00")"), "1767225601000");
    const std::string arrival = "1767312000000";
    for (const auto* told :
         {R"("2026-01-03T00:00:00Z")", R"("2025-02-30T00:00:00Z")", R"("1969-01-01T00:00:00Z")",
          R"("2026-01-01T00:00:00")", R"("infinity")", R"("yesterday")", R"("")", "null",
          "1767225600000", "{}"}) {
        EXPECT_EQ(version(told), arrival) << told;
    }
    EXPECT_EQ(sql("SELECT rollcall.payload_version('[]', '2026-01-02T00:00:00Z')"), arrival);
}

TEST_F(SqlFunctions, EnqueueRefusesWhatNoWorkerCouldRead) {
    for (const auto* call : {"'', '{}'", "NULL, '{}'", "'A', '[]'", "'A', NULL", "'A', '1'"}) {
        EXPECT_THROW(sql(fmt::format("SELECT rollcall.enqueue({})", call)), std::runtime_error);
    }
}

TEST_F(SqlFunctions, NobodyElseMayCallThem) {
    const auto names = sql(
        "SELECT string_agg(p.proname, ' ' ORDER BY p.proname) FROM pg_proc p "
        "WHERE p.pronamespace = 'rollcall'::regnamespace AND p.proname = ANY('{enqueue,retry_job,"
        "retry_failed,retry_jobs,cancel_job,cancel_jobs,queue_stats,queue_depth,queue_depths,stuck_"
        "jobs,job_history,"
        "add_transition,"
        "recorded_history,with_retry_count,rfc3339,payload_version,kept_for_review}') AND p.proacl "
        "IS NOT NULL "
        "AND NOT EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0) "
        "AND p.proconfig::text LIKE '%search_path%' AND NOT p.prosecdef");
    EXPECT_EQ(
        names,
        "add_transition cancel_job cancel_jobs enqueue job_history kept_for_review payload_version "
        "queue_depth queue_depths queue_stats recorded_history retry_failed retry_job retry_jobs "
        "rfc3339 stuck_jobs with_retry_count");
}

TEST_F(SqlFunctions, TheServerSideRoleMayAndTheClientsMayNot) {
    const std::string as_server = "SET ROLE service_role; ";
    const auto id = sql(as_server + "SELECT rollcall.enqueue('REFRESH_USER', '{}')");
    EXPECT_EQ(status(id), "PENDING");
    EXPECT_EQ(sql(as_server + fmt::format("SELECT rollcall.cancel_job('{}')", id)), "t");
    EXPECT_EQ(sql(as_server + fmt::format("SELECT rollcall.retry_job('{}')", id)), "t");
    EXPECT_EQ(sql(as_server + "SELECT jobs FROM rollcall.queue_stats()"), "1");
    EXPECT_EQ(sql(as_server + fmt::format("SELECT count(*) FROM rollcall.job_history('{}')", id)),
              "3");
    for (const auto* role : {"anon", "authenticated"}) {
        for (const auto* what :
             {"rollcall.enqueue('REFRESH_USER', '{}')", "rollcall.retry_failed()",
              "1 FROM rollcall.leases", "rollcall.queue_stats()", "1 FROM public.job_queue"}) {
            EXPECT_THROW(sql(fmt::format("SET ROLE {}; SELECT {}", role, what)), std::runtime_error)
                << role << " " << what;
        }
    }
}

TEST_F(SqlFunctions, MonitoringQueriesUseIndexesBesideManyFinishedJobs) {
    sql("INSERT INTO job_queue (job_type, status, created_at, updated_at, processed_at) "
        "SELECT 'USER_CREATED', 'COMPLETED', now() - interval '3 days' + n * interval '1 second', "
        "now() - interval '2 days', now() - interval '2 days' FROM generate_series(1, 100000) n");
    made("FAILED", "1 hour");
    made("PROCESSING", "2 hours");
    sql("UPDATE job_queue SET updated_at = now() - interval '2 hours' WHERE status = 'PROCESSING'");
    sql("ANALYZE job_queue");
    const auto plan = [&](const std::string& query) {
        return sql("EXPLAIN (FORMAT JSON) " + query);
    };
    const std::string by_status =
        "SELECT job_type, status, COUNT(*) as count, AVG(EXTRACT(EPOCH FROM (processed_at - "
        "created_at))) as avg_processing_time_seconds FROM job_queue WHERE created_at > NOW() - "
        "INTERVAL '24 hours' GROUP BY job_type, status";
    const std::string by_error =
        "SELECT job_type, error, COUNT(*) as failure_count FROM job_queue WHERE status = 'FAILED' "
        "AND created_at > NOW() - INTERVAL '7 days' GROUP BY job_type, error ORDER BY "
        "failure_count DESC";
    const std::string stuck =
        "SELECT * FROM job_queue WHERE status = 'PROCESSING' AND updated_at < NOW() - INTERVAL '1 "
        "hour'";
    EXPECT_THAT(plan(by_status), HasSubstr("idx_job_queue_created"));
    EXPECT_THAT(plan(by_error), HasSubstr("idx_job_queue_status"));
    EXPECT_THAT(plan(stuck), HasSubstr("idx_job_queue_status"));
    EXPECT_EQ(sql("SELECT count(*) FROM (" + by_status + ") q"), "2");
    EXPECT_EQ(sql("SELECT failure_count FROM (" + by_error + ") q"), "1");
    EXPECT_EQ(sql("SELECT count(*) FROM (" + stuck + ") q"), "1");
}

}  // namespace
}  // namespace rollcall::jobs
