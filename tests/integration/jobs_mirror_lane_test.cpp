// The mirror's lane of the queue: what waits there holds up nobody else, and what changes while its
// job runs is not lost with that job's end.
#include "jobs_worker_fixture.hpp"

#include "base/wakeup.hpp"
#include "jobs/chores.hpp"
#include "jobs/queue_admin.hpp"
#include "jobs/sql.hpp"

#include <algorithm>
#include <array>

namespace rollcall::jobs {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr std::array mirror_kinds{mirror_user};

class MirrorLane : public WorkerTest {
protected:
    // As a change of the user arms it.
    std::string arm(const std::string& user = "user_1") const {
        return sql(
            fmt::format("INSERT INTO job_queue (job_type, payload, subject, version, event_id) "
                        "VALUES ('MIRROR_USER', '{{\"clerk_id\":\"{0}\"}}', '{0}', 1, "
                        "'mirror:{0}') RETURNING id",
                        user));
    }
    // What a change does to a job that runs.
    void news(const std::string& id) const {
        sql(fmt::format("UPDATE job_queue SET version = version + 1, attempts = 0 WHERE id = '{}'",
                        id));
    }
    std::vector<Job> claim_mirror(int limit = 100) {
        return run(lane.claim("w1:mirror", limit, seconds(15), mirror_kinds));
    }

    JobQueue lane{pool, Lane::mirror};
};

TEST_F(MirrorLane, EachLaneClaimsItsOwn) {
    const auto mirror = arm();
    const auto refresh = add("REFRESH_USER");
    const auto effects = run(queue.claim("w1", 9, seconds(15), own_kinds));
    ASSERT_EQ(effects.size(), 1U);
    EXPECT_EQ(effects[0].id, refresh);
    const auto mirrored = run(lane.claim("w1:mirror", 9, seconds(15), own_kinds));
    ASSERT_EQ(mirrored.size(), 1U);
    EXPECT_EQ(mirrored[0].id, mirror);
    EXPECT_EQ(mirrored[0].version, 1);
    EXPECT_EQ(effects[0].version, 0);
    // One worker's jobs are not given back with another's.
    EXPECT_EQ(run(queue.release("w1")), 1);
    EXPECT_EQ(status(mirror), "PROCESSING");
}

TEST_F(MirrorLane, ACompletedJobGivesItsNameToTheNextChange) {
    const auto first = arm();
    EXPECT_EQ(run(lane.complete(claim_mirror().at(0), "{}")), Recorded::as_told);
    EXPECT_EQ(column(first, "concat_ws('|', status, event_id IS NULL, version)"), "COMPLETED|t|1");
    const auto second = arm();
    EXPECT_NE(second, first);
    EXPECT_EQ(claim_mirror().at(0).id, second);
    // Nobody else's job does.
    const auto refresh =
        sql("SELECT rollcall.enqueue('REFRESH_USER', '{}', event_id => 'refresh:user_1:7')");
    EXPECT_TRUE(run(queue.complete(claim().at(0), "{}")));
    EXPECT_EQ(column(refresh, "event_id"), "refresh:user_1:7");
}

TEST_F(MirrorLane, WhateverItsEndSaysNewsMakesItDueAgain) {
    const auto id = arm();
    for (const int end : {0, 1, 2}) {
        sql("UPDATE job_queue SET attempts = 5, created_at = now() - interval '2 days'");
        const Job job = claim_mirror().at(0);
        EXPECT_EQ(job.version, end + 1);
        news(id);
        Result<Recorded> recorded = end == 0   ? run(lane.complete(job, "{}"))
                                    : end == 1 ? run(lane.retry(job, hours(1), "no", true))
                                               : run(lane.bury(job, "never"));
        EXPECT_EQ(recorded, Recorded::again);
        EXPECT_EQ(column(id,
                         "concat_ws('|', status, attempts, run_at <= now(), error IS NULL, "
                         "processed_at IS NULL, leased_by IS NULL, lease_until IS NULL, event_id, "
                         "created_at > now() - interval '1 hour', history -> -1 ->> 'error')"),
                  "PENDING|0|t|t|t|t|t|mirror:user_1|t|changed while it ran");
        recorded = run(lane.complete(job, "{}"));
        ASSERT_FALSE(recorded) << "it is nobody's by now";
        EXPECT_EQ(recorded.error().code, ErrorCode::conflict);
    }
    EXPECT_EQ(run(lane.complete(claim_mirror().at(0), "{}")), Recorded::as_told);
    EXPECT_EQ(status(id), "COMPLETED");
}

TEST_F(MirrorLane, NewsOutliveALeaseThatLapsesInTheLastAttempt) {
    const auto id = arm();
    sql("UPDATE job_queue SET attempts = 2, max_attempts = 3");
    (void)claim_mirror().at(0);
    news(id);
    lapse(id);
    Chores chores(io.get_executor(), pool, {.holder = "c"}, metrics);
    EXPECT_EQ(run(chores.rescue()), 1);
    EXPECT_EQ(column(id, "concat_ws('|', status, attempts, run_at <= now())"), "PENDING|0|t");
}

TEST_F(MirrorLane, ItsDepthIsARowOfItsOwnAndTheOtherTwoAreAsTheyWere) {
    arm("user_1");
    arm("user_2");
    arm("user_3");
    (void)claim_mirror(1);
    sql("UPDATE job_queue SET status = 'FAILED' WHERE subject = 'user_3'");
    std::vector<std::string> shown;
    for (const auto& depth : run(QueueAdmin(pool).depth())) {
        shown.push_back(
            fmt::format("{} {} {} {}", depth.queue, depth.ready, depth.running, depth.dead));
    }
    EXPECT_THAT(shown, testing::ElementsAre("users 0 0 0", "effects 0 0 0", "mirror 1 1 1"));
    EXPECT_EQ(sql("SELECT string_agg(concat_ws(' ', queue, ready, running, dead), ', ') "
                  "FROM rollcall.queue_depth()"),
              "users 0 0 0, effects 0 0 0");
    Chores chores(io.get_executor(), pool, {.holder = "c"}, metrics);
    run(chores.sample());
    EXPECT_THAT(registry.render(),
                HasSubstr(R"(rollcall_queue_jobs{queue="mirror",state="ready"} 1)"));
}

TEST_F(MirrorLane, StuckOnesAreFoundAndWaitingOnesListed) {
    const auto id = arm();
    sql("UPDATE job_queue SET run_at = now() - interval '2 hours'");
    const auto stuck = run(QueueAdmin(pool).stuck(seconds(3600)));
    ASSERT_EQ(stuck.size(), 1U);
    EXPECT_EQ(stuck[0].id, id);
    const auto page = run(QueueAdmin(pool).list({.status = "PENDING"}));
    ASSERT_TRUE(page);
    ASSERT_EQ(page->jobs.size(), 1U);
    EXPECT_EQ(page->jobs[0].id, id);
}

// By what is read, not by the clock: a claim of the other lane never sees what waits here.
TEST_F(MirrorLane, ABacklogCostsTheOtherLaneNothing) {
    sql("INSERT INTO job_queue (job_type, payload, event_id) SELECT 'MIRROR_USER', '{}', "
        "'mirror:' || n FROM generate_series(1, 100000) n");
    const auto refresh = add("REFRESH_USER");
    const auto plan =
        sql("PREPARE claim_one AS " + std::string(sql::claim.text) +
            "; SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; "
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE claim_one('w', 10, 1000, '{1}', "
            "ARRAY[NULL::bigint], '{00000000-0000-0000-0000-000000000000}', '{REFRESH_USER}')");
    constexpr std::string_view key = "\"Shared Hit Blocks\": ";  // first of the whole plan
    EXPECT_LT(std::stoi(plan.substr(plan.find(key) + key.size())), 200);
    EXPECT_EQ(column(refresh, "status"), "PROCESSING");
}

TEST_F(MirrorLane, AWorkerRunsItAgainAfterNewsAndCountsTheFirstAsSuperseded) {
    Worker worker(io.get_executor(), lane, config("w1:mirror"), metrics);
    std::vector<std::int64_t> versions;
    const auto id = arm();
    worker.handle("MIRROR_USER", [&](const Job& job) -> Task<Outcome> {
        versions.push_back(job.version);
        EXPECT_TRUE(worker.holds(job, seconds(1)));
        if (versions.size() == 1) news(job.id);
        co_return Completed{};
    });
    worker.start();
    ASSERT_TRUE(reaches(id, "COMPLETED"));
    stop(worker);
    EXPECT_EQ(versions, (std::vector<std::int64_t>{1, 2}));
    for (const auto* ending : {"superseded", "ok"}) {
        EXPECT_THAT(registry.render(),
                    HasSubstr(fmt::format("rollcall_jobs_completed_total{{kind=\"MIRROR_USER\","
                                          "queue=\"mirror\",result=\"{}\"}} 1",
                                          ending)));
    }
}

TEST_F(MirrorLane, ClaimsNoMoreThanThereIsRoomFor) {
    auto settings = config("w1:mirror");
    int room = 0;
    int running = 0;
    int most = 0;
    settings.room = [&] { return room - running; };
    Worker worker(io.get_executor(), lane, settings, metrics);
    worker.handle("MIRROR_USER", [&](const Job& /*job*/) -> Task<Outcome> {
        most = std::max(most, ++running);
        co_await sleep(milliseconds(1));
        --running;
        co_return Completed{};
    });
    for (const char* user : {"user_1", "user_2", "user_3"}) arm(user);
    EXPECT_EQ(run(worker.run_due(seconds(20))), 0);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status = 'PENDING' AND fence = 0"), "3");
    room = 2;
    worker.start();
    ASSERT_TRUE(wait_until(
        [&] { return sql("SELECT count(*) FROM job_queue WHERE status = 'COMPLETED'") == "3"; }));
    stop(worker);
    EXPECT_LE(most, 2);
}

TEST_F(MirrorLane, WhoLosesAJobIsToldAndHoldsItNoMore) {
    auto settings = config("w1:mirror");
    std::vector<std::string> lost;
    settings.on_lost = [&](const Job& job) -> Task<> {
        lost.push_back(job.id);
        if (lost.size() == 1) throw Unavailable("not now");
        co_return;
    };
    Worker worker(io.get_executor(), lane, settings, metrics);
    Wakeup go_on(io.get_executor());
    std::optional<Job> ran;
    worker.handle("MIRROR_USER", [&](const Job& job) -> Task<Outcome> {
        ran = job;
        EXPECT_TRUE(worker.holds(job));
        co_await go_on.wait(hours(1));
        co_return Completed{};
    });
    const auto id = arm();
    worker.start();
    ASSERT_TRUE(wait_until([&] { return ran.has_value(); }));
    // As if it had slept past its lease, and another had the job since.
    sql(
        fmt::format("UPDATE job_queue SET status = 'PROCESSING', fence = fence + 1, "
                    "leased_by = 'w2' WHERE id = '{}'",
                    id));
    go_on.wake();
    ASSERT_TRUE(wait_until([&] { return lost.size() == 2; }));
    stop(worker);
    EXPECT_EQ(lost, (std::vector{id, id}));
    EXPECT_FALSE(worker.holds(*ran));
    EXPECT_EQ(column(id, "status || leased_by"), "PROCESSINGw2");
}

TEST_F(MirrorLane, AJobIsHeldForAsLongAsItsLeaseSurelyLasts) {
    auto settings = config("w1:mirror");
    settings.lease = milliseconds(300);
    Worker worker(io.get_executor(), lane, settings, metrics);
    Wakeup go_on(io.get_executor());
    std::optional<Job> ran;
    worker.handle("MIRROR_USER", [&](const Job& job) -> Task<Outcome> {
        ran = job;
        co_await go_on.wait(hours(1));
        co_return Completed{};
    });
    const auto id = arm();
    worker.start();
    ASSERT_TRUE(wait_until([&] { return ran.has_value(); }));
    const auto first = column(id, "lease_until");
    ASSERT_TRUE(wait_until([&] {
        return column(id, fmt::format("lease_until > '{}'::timestamptz", first)) == "true";
    }));
    EXPECT_FALSE(worker.holds(*ran, seconds(1))) << "it lasts no second more";
    Job other = *ran;
    other.fence += 1;
    EXPECT_FALSE(worker.holds(other));
    // Another's by now: the next renewal says so, before the handler ends.
    sql(fmt::format("UPDATE job_queue SET fence = fence + 1 WHERE id = '{}'", id));
    ASSERT_TRUE(wait_until([&] { return !worker.holds(*ran); }));
    go_on.wake();
    stop(worker);
}

}  // namespace
}  // namespace rollcall::jobs
