#include "jobs_fixture.hpp"

#include "jobs/sql.hpp"

#include <set>

namespace rollcall::jobs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Claim : public JobsTest {
protected:
    static constexpr pg::Statement look{"test_look", "SELECT count(*) FROM public.job_queue"};
    // A transaction that sees the queue as it is now, for as long as it lives.
    pg::Transaction held_snapshot() {
        static constexpr pg::Statement isolation{"test_isolation",
                                                 "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"};
        auto snapshot = run(pool.begin());
        run(snapshot.execute(isolation));
        run(snapshot.execute(look));
        return snapshot;
    }
};

TEST_F(Claim, ByPriorityThenByAgeAndNeverBeforeItsTime) {
    const auto old = add("REFRESH_USER");
    const auto young = add("REFRESH_USER");
    const auto urgent = add("UNKNOWN_EVENT", 5);
    const auto retried = add("REFRESH_USER", 1, "now() - interval '1 hour'");
    const auto later = add("REFRESH_USER", 9, "now() + interval '1 hour'");
    std::vector<std::string> order;
    for (const auto& job : claim()) order.push_back(job.id);
    EXPECT_EQ(order, (std::vector{urgent, retried, old, young}));
    EXPECT_EQ(status(later), "PENDING");
}

TEST_F(Claim, OneByOneInTheSameOrder) {
    const auto second = add("REFRESH_USER");
    const auto third = add("REFRESH_USER");
    const auto first = add("REFRESH_USER", 1, "now() - interval '1 hour'");
    const auto last = add("REFRESH_USER", 0, "now() - interval '2 hours'");
    std::vector<std::string> order;
    order.reserve(4);
    for (int i = 0; i < 4; ++i) order.push_back(claim(1).at(0).id);
    EXPECT_EQ(order, (std::vector{first, second, third, last}));
}

TEST_F(Claim, FillsTheJobAndTheRow) {
    const auto id = add("REFRESH_USER", 3, "now() - interval '5 seconds'");
    sql("UPDATE job_queue SET max_attempts = 4, event_id = 'e', original_event = 'bytes', "
        "trace = 'told', created_at = now() - interval '10 seconds'");
    const auto jobs = claim();
    ASSERT_EQ(jobs.size(), 1U);
    const Job& job = jobs[0];
    EXPECT_EQ(job.id, id);
    EXPECT_EQ(job.kind, "REFRESH_USER");
    EXPECT_EQ(job.payload, R"({"clerk_id": "user_1"})");
    EXPECT_EQ(job.subject, "user_1");
    EXPECT_EQ(job.event_id, "e");
    EXPECT_EQ(job.attempt, 1);
    EXPECT_EQ(job.attempts_max, 4);
    EXPECT_EQ(job.fence, 1);
    EXPECT_EQ(job.original_event, "bytes");
    EXPECT_EQ(job.trace, "told");
    EXPECT_GE(job.age, seconds(10));
    EXPECT_GE(job.waited, seconds(5));
    EXPECT_LT(job.waited, seconds(9));
    EXPECT_EQ(column(id,
                     "concat_ws('|', status, leased_by, attempts, fence, "
                     "lease_until > now() + interval '10 s', updated_at > created_at)"),
              "PROCESSING|w1|1|1|t|t");
    EXPECT_EQ(history(id), "PENDING PROCESSING");
    EXPECT_EQ(column(id, "history->0->>'worker'"), "w1");
}

TEST_F(Claim, TimesWithoutEndHoldUpNobody) {
    const auto odd = add("REFRESH_USER", 1, "'-infinity'");
    sql("UPDATE job_queue SET created_at = 'infinity'");
    add("REFRESH_USER", 1, "'infinity'");
    const auto usual = add("REFRESH_USER");
    EXPECT_EQ(sql("SELECT sum(ready) FROM rollcall.queue_depth()"), "2");
    const auto jobs = claim();
    ASSERT_EQ(jobs.size(), 2U);
    EXPECT_EQ(jobs[0].id, odd);
    EXPECT_EQ(jobs[0].age.count(), 0);
    EXPECT_EQ(jobs[1].id, usual);
}

TEST_F(Claim, NeverTakesChangesOfUsers) {
    add("USER_CREATED");
    add("USER_DELETED");
    const auto id = add("REFRESH_USER");
    EXPECT_EQ(claim().at(0).id, id);
    EXPECT_TRUE(claim().empty());
}

TEST_F(Claim, GoesOnWhereItStoppedAndFindsWhatIsBehindWithinASecondOrTwo) {
    const auto first = add("REFRESH_USER");
    EXPECT_EQ(claim().at(0).id, first);
    const auto behind = add("REFRESH_USER", 1, "now() - interval '1 minute'");
    const auto next = add("REFRESH_USER");
    EXPECT_EQ(claim().at(0).id, next);
    std::vector<Job> found;
    ASSERT_TRUE(wait_until([&] { return !(found = claim()).empty(); }));
    EXPECT_EQ(found.at(0).id, behind);
}

TEST_F(Claim, DoesNotWalkWhatAHeldSnapshotKeeps) {
    auto snapshot = held_snapshot();
    sql("SELECT rollcall.enqueue('REFRESH_USER', '{}', run_at => now() - interval '1 minute') "
        "FROM generate_series(1, 20000) n");
    std::string last;
    for (auto jobs = claim(5000); !jobs.empty(); jobs = claim(5000)) last = jobs.back().id;
    // Pages that a claim reads which finds nothing, from a position on.
    const auto pages = [&](const std::string& at_us, const std::string& id) {
        const auto plan = sql(fmt::format(
            "PREPARE claim_from AS {}; SET enable_seqscan = off; EXPLAIN (ANALYZE, BUFFERS, FORMAT "
            "JSON) EXECUTE claim_from('w', 10, 1000, '{{1}}', ARRAY[{}], '{{{}}}', "
            "rollcall.leased_types())",
            sql::claim.text, at_us, id));
        constexpr std::string_view key = "\"Shared Hit Blocks\": ";  // first of the whole plan
        return std::stoi(plan.substr(plan.find(key) + key.size()));
    };
    const auto reached =
        sql("SELECT (extract(epoch FROM max(run_at)) * 1000000)::bigint "
            "FROM job_queue");
    EXPECT_GT(pages("NULL::bigint", "00000000-0000-0000-0000-000000000000"), 1000);
    EXPECT_LT(pages(reached, last), 200);
    run(snapshot.commit());
}

TEST_F(Claim, TakesNoMoreThanAskedOverSeveralPriorities) {
    for (int i = 0; i < 30; ++i) add("REFRESH_USER", i % 3);
    std::vector<int> sizes;
    std::set<std::string> ids;
    for (int i = 0; i < 5; ++i) {
        const auto jobs = claim(7);
        sizes.push_back(static_cast<int>(jobs.size()));
        for (const auto& job : jobs) ids.insert(job.id);
    }
    EXPECT_EQ(sizes, (std::vector{7, 7, 7, 7, 2}));
    EXPECT_EQ(ids.size(), 30U);
}

TEST_F(Claim, ManyWorkersAtOnceNeverTakeOneJobTwice) {
    sql("SELECT rollcall.enqueue('REFRESH_USER', '{}', n % 3) FROM generate_series(1, 400) n");
    std::multiset<std::string> ids;
    int done = 0;
    for (int i = 0; i < 8; ++i) {
        spawn(io.get_executor(), "worker",
              [](JobQueue& from, std::string name, std::multiset<std::string>& all,
                 int& ended) -> Task<> {
                  for (;;) {
                      const auto jobs = co_await from.claim(name, 9, seconds(15));
                      if (jobs.empty()) break;
                      for (const auto& job : jobs) {
                          all.insert(job.id);
                          EXPECT_TRUE(co_await from.complete(job, "{}"));
                      }
                  }
                  ++ended;
              }(queue, fmt::format("w{}", i), ids, done));
    }
    ASSERT_TRUE(wait_until([&] { return done == 8; }));
    EXPECT_EQ(ids.size(), 400U);
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 400U);
    EXPECT_EQ(sql("SELECT string_agg(DISTINCT status || attempts, ',') FROM job_queue"),
              "COMPLETED1");
}

TEST_F(Claim, PassesRowsThatAnotherTransactionHolds) {
    const auto held = add("REFRESH_USER", 9);
    const auto free = add("REFRESH_USER", 1);
    const pg::Statement lock{"test_lock", "SELECT 1 FROM job_queue WHERE priority = 9 FOR UPDATE"};
    auto transaction = run(pool.begin());
    run(transaction.execute(lock));
    const auto jobs = claim();
    ASSERT_EQ(jobs.size(), 1U);
    EXPECT_EQ(jobs[0].id, free);
    run(transaction.commit());
    EXPECT_EQ(claim().at(0).id, held);
}

TEST_F(Claim, IsRightBesideASnapshotThatIsHeldOpen) {
    auto snapshot = held_snapshot();
    sql("SELECT rollcall.enqueue('REFRESH_USER', '{}', n % 2) FROM generate_series(1, 500) n");
    std::vector<std::string> order;
    for (auto jobs = claim(40); !jobs.empty(); jobs = claim(40)) {
        for (const auto& job : jobs) {
            order.push_back(job.id);
            ASSERT_TRUE(run(queue.complete(job, "{}")));
        }
    }
    EXPECT_EQ(run(snapshot.execute(look)).text(0, 0), "0");
    run(snapshot.commit());
    EXPECT_EQ(order.size(), 500U);
    EXPECT_EQ(std::set<std::string>(order.begin(), order.end()).size(), 500U);
    EXPECT_EQ(column(order[0], "priority"), "1");
    EXPECT_EQ(column(order[499], "priority"), "0");
}

class End : public JobsTest {
protected:
    std::string id = add("REFRESH_USER");
    Job job = claim().at(0);
};

TEST_F(End, Complete) {
    EXPECT_TRUE(run(queue.complete(job, R"({"done":1})")));
    EXPECT_EQ(column(id,
                     "concat_ws('|', status, result, processed_at = updated_at, "
                     "leased_by IS NULL, lease_until IS NULL, error IS NULL)"),
              R"(COMPLETED|{"done": 1}|t|t|t|t)");
    EXPECT_EQ(history(id), "PENDING PROCESSING COMPLETED");
}

TEST_F(End, RetryBurnsTheAttempt) {
    EXPECT_TRUE(run(queue.retry(job, milliseconds(90'000), "Clerk answered 503", true)));
    EXPECT_EQ(column(id,
                     "concat_ws('|', status, attempts, error, payload->>'retry_count', "
                     "run_at - updated_at, leased_by IS NULL, processed_at IS NULL)"),
              "PENDING|1|Clerk answered 503|1|00:01:30|t|t");
    EXPECT_EQ(column(id, "history->-1->>'error'"), "Clerk answered 503");
    EXPECT_TRUE(claim().empty());
    sql("UPDATE job_queue SET run_at = now()");
    EXPECT_EQ(claim().at(0).attempt, 2);
}

TEST_F(End, RetryWithoutBurningIt) {
    EXPECT_TRUE(run(queue.retry(job, milliseconds(0), "away", false)));
    EXPECT_EQ(column(id, "concat(attempts, payload->>'retry_count')"), "00");
    const auto again = claim().at(0);
    EXPECT_EQ(again.attempt, 1);
    EXPECT_EQ(again.fence, 2);
}

TEST_F(End, Bury) {
    EXPECT_TRUE(run(queue.bury(job, "two rows hold the address")));
    EXPECT_EQ(column(id, "concat_ws('|', status, error, processed_at = updated_at)"),
              "FAILED|two rows hold the address|t");
    EXPECT_EQ(history(id), "PENDING PROCESSING FAILED");
}

TEST_F(End, ReasonsThatNoTextTakesAreCleaned) {
    EXPECT_TRUE(run(queue.bury(job, std::string_view("a\0\xFF", 3))));
    EXPECT_EQ(column(id, "error"), "a ?");
}

TEST_F(End, AResultThatIsNoJsonIsRefused) {
    const auto done = run(queue.complete(job, "{"));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::invalid_input);
    EXPECT_EQ(status(id), "PROCESSING");
}

TEST_F(End, ALapsedLeaseThatNobodyTookIsStillOurs) {
    lapse(id);
    EXPECT_TRUE(run(queue.complete(job, "{}")));
}

TEST_F(End, AnotherWorkersClaimFencesEveryEndOfTheFirst) {
    EXPECT_TRUE(run(queue.retry(job, milliseconds(0), "taken back", true)));
    const auto second = claim(1, "w2").at(0);
    ASSERT_EQ(second.id, id);
    for (auto late :
         {run(queue.complete(job, "{}")), run(queue.retry(job, milliseconds(0), "late", true)),
          run(queue.bury(job, "late"))}) {
        ASSERT_FALSE(late);
        EXPECT_EQ(late.error().code, ErrorCode::conflict);
    }
    EXPECT_EQ(run(queue.renew(std::vector{job}, seconds(15))), std::vector{id});
    EXPECT_EQ(column(id, "status || leased_by"), "PROCESSINGw2");
    EXPECT_TRUE(run(queue.complete(second, "{}")));
    EXPECT_EQ(run(queue.complete(second, "{}")).error().code, ErrorCode::conflict);
}

TEST_F(End, RenewProlongsAndIsNoTransition) {
    const auto before = column(id, "updated_at");
    lapse(id);
    EXPECT_TRUE(run(queue.renew(std::vector{job}, seconds(15))).empty());
    EXPECT_EQ(column(id, "lease_until > now() + interval '10 seconds'"), "true");
    EXPECT_EQ(column(id, "updated_at"), before);
    EXPECT_EQ(history(id), "PENDING PROCESSING");
}

TEST_F(End, ReleaseGivesBackAllOfOneWorker) {
    const auto other = add("REFRESH_USER");
    (void)claim(1, "w2");
    EXPECT_EQ(run(queue.release("w1")), 1);
    EXPECT_EQ(column(id, "concat_ws('|', status, attempts, run_at <= now())"), "PENDING|0|t");
    EXPECT_EQ(status(other), "PROCESSING");
    EXPECT_EQ(history(id), "PENDING PROCESSING PENDING");
}

TEST_F(End, HistoryIsBounded) {
    for (int i = 0; i < 210; ++i) {
        ASSERT_TRUE(run(queue.retry(job, milliseconds(0), fmt::format("try {}", i), false)));
        job = claim().at(0);
    }
    EXPECT_EQ(column(id, "jsonb_array_length(history)"), "200");
    EXPECT_EQ(column(id, "history->-2->>'error'"), "try 209");
    EXPECT_EQ(column(id, "history->-1->>'status'"), "PROCESSING");
}

TEST_F(JobsTest, EveryStatementIsPreparedOnAFreshSchema) {
    const pg::Statement all[] = {sql::enqueue,
                                 sql::resend,
                                 sql::refresh,
                                 sql::claim,
                                 sql::renew,
                                 sql::complete,
                                 sql::retry,
                                 sql::bury,
                                 sql::release,
                                 sql::rescue,
                                 sql::table_pages,
                                 sql::database_now,
                                 sql::deleted_since,
                                 sql::sweep,
                                 sql::depth,
                                 sql::lease_hold,
                                 sql::lease_release,
                                 sql::list,
                                 sql::show,
                                 sql::history,
                                 sql::state,
                                 sql::retryable,
                                 sql::cancellable,
                                 sql::retry_jobs,
                                 sql::cancel_jobs,
                                 sql::reasons,
                                 sql::reveal,
                                 sql::stats,
                                 sql::stuck,
                                 sql::review,
                                 sql::leased_priorities,
                                 sql::lease_shorten,
                                 sql::claim_mirror,
                                 sql::again,
                                 sql::mirror_priorities};
    for (const auto& statement : all) {
        EXPECT_NO_THROW(sql(fmt::format("PREPARE {} AS {}", statement.name, statement.text)))
            << statement.name;
    }
}

}  // namespace
}  // namespace rollcall::jobs
