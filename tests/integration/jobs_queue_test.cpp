#include "jobs_fixture.hpp"

#include "jobs/sql.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <set>

namespace rollcall::jobs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

class Enqueue : public JobsTest {};

TEST_F(Enqueue, StoresEveryColumn) {
    const auto job = event("msg_1");
    const auto stored = enqueue({job});
    ASSERT_EQ(stored.size(), 1U);
    EXPECT_EQ(stored[0].id, to_string(job.id));
    EXPECT_FALSE(stored[0].duplicate);
    const auto& id = stored[0].id;
    EXPECT_EQ(column(id,
                     "concat_ws('|', job_type, status, priority, event_id, subject, version, "
                     "banned, locked, attempts, fence)"),
              "USER_CREATED|PENDING|2|msg_1|user_1|1700000000000|f|f|0|0");
    EXPECT_EQ(column(id, "clerk_created_at = to_timestamp(1700000000)"), "true");
    EXPECT_EQ(column(id, "payload->>'email'"), "a@example.com");
    EXPECT_EQ(column(id, "original_event"), R"({"type":"user.created"})");
    EXPECT_EQ(column(id, "created_at = updated_at AND run_at = created_at"), "true");
    EXPECT_EQ(column(id, "processed_at IS NULL AND error IS NULL AND history = '[]'"), "true");
    EXPECT_EQ(history(id), "PENDING");
}

TEST_F(Enqueue, AKnownEventIsTheFirstJob) {
    const auto first = enqueue({event("msg_1")});
    const auto again = enqueue({event("msg_0"), event("msg_1"), event("msg_2")});
    EXPECT_FALSE(again[0].duplicate);
    EXPECT_TRUE(again[1].duplicate);
    EXPECT_EQ(again[1].id, first[0].id);
    EXPECT_FALSE(again[2].duplicate);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "3");
    EXPECT_EQ(status(first[0].id), "PENDING");
    EXPECT_EQ(history(first[0].id), "PENDING");
}

TEST_F(Enqueue, TheSameEventTwiceInOneCallIsOneJob) {
    const auto stored = enqueue({event("msg_b"), event("msg_a"), event("msg_b"), event("msg_b")});
    EXPECT_FALSE(stored[0].duplicate);
    EXPECT_FALSE(stored[1].duplicate);
    EXPECT_TRUE(stored[2].duplicate);
    EXPECT_EQ(stored[2].id, stored[0].id);
    EXPECT_TRUE(stored[3].duplicate);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "2");
}

TEST_F(Enqueue, JobsWithoutAnEventAreAlwaysNew) {
    auto one = event("x");
    one.event_id = std::nullopt;
    auto two = event("x");
    two.event_id = std::nullopt;
    const auto stored = enqueue({one, event("x"), two});
    EXPECT_EQ(std::set<std::string>({stored[0].id, stored[1].id, stored[2].id}).size(), 3U);
    const auto again = enqueue({event("x"), [&] {
                                    auto three = event("x");
                                    three.event_id = std::nullopt;
                                    return three;
                                }()});
    EXPECT_TRUE(again[0].duplicate);
    EXPECT_FALSE(again[1].duplicate);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "4");
}

TEST_F(Enqueue, NothingIsNothing) {
    EXPECT_TRUE(enqueue({}).empty());
}

TEST_F(Enqueue, ADeadLetterFromTheStartWasNeverPending) {
    auto job = event("msg_1");
    job.kind = unknown_event;
    job.failed = true;
    job.error = "not_json";
    job.payload = "{}";
    const auto id = enqueue({job})[0].id;
    EXPECT_EQ(column(id, "concat_ws('|', status, error, processed_at = created_at)"),
              "FAILED|not_json|t");
    EXPECT_EQ(history(id), "FAILED");
}

TEST_F(Enqueue, AResendSetsAFailedJobGoingAgainWithWhatItCarries) {
    const auto id = enqueue({event("msg_1")})[0].id;
    sql("UPDATE job_queue SET status = 'FAILED', error = 'boom', attempts = 10, "
        "processed_at = now(), updated_at = now(), payload = payload - 'email', "
        "original_event = NULL, blanked_at = now()");
    const auto again = enqueue({event("msg_1"), event("msg_2")});
    EXPECT_TRUE(again[0].duplicate);
    EXPECT_EQ(again[0].id, id);
    EXPECT_EQ(column(id,
                     "concat_ws('|', status, attempts, run_at = updated_at, "
                     "processed_at IS NULL, error IS NULL, blanked_at IS NULL, "
                     "payload->>'email', original_event)"),
              R"(PENDING|0|t|t|t|t|a@example.com|{"type":"user.created"})");
    EXPECT_EQ(history(id), "PENDING FAILED PENDING");
    EXPECT_EQ(column(id, "history->0->>'error'"), "boom");
}

TEST_F(Enqueue, AResendThatIsStillUnusableStaysFailed) {
    auto job = event("msg_1");
    job.failed = true;
    job.error = "no_user_id";
    const auto id = enqueue({job})[0].id;
    EXPECT_TRUE(enqueue({job})[0].duplicate);
    EXPECT_EQ(status(id), "FAILED");
    EXPECT_EQ(history(id), "FAILED PENDING FAILED");
}

TEST_F(Enqueue, AUserIsReadAgainOnceForAnyNumberOfEventsKeptForReview) {
    const auto kept = [&](std::string_view event_id) {
        auto job = event(event_id);
        job.failed = true;
        job.error = "refused";
        job.subject = std::nullopt;
        job.refresh = "user_1";
        return job;
    };
    const auto refreshes = [&] {
        return sql(
            "SELECT string_agg(concat_ws('|', status, subject, payload->>'clerk_id'), ' ') "
            "FROM job_queue WHERE job_type = 'REFRESH_USER'");
    };
    auto usable = event("msg_1");
    usable.refresh = "user_1";
    enqueue({usable});
    EXPECT_EQ(refreshes(), "");
    enqueue({kept("msg_2"), kept("msg_3")});
    enqueue({kept("msg_4"), kept("msg_2")});
    EXPECT_EQ(refreshes(), "PENDING|user_1|user_1");
    // One that is under way may have read what was there before the event.
    const auto under_way = claim().at(0);
    enqueue({kept("msg_5")});
    EXPECT_EQ(run(queue.complete(under_way, "{}")).error().code, ErrorCode::conflict);
    EXPECT_TRUE(run(queue.complete(claim().at(0), "{}")));
    EXPECT_EQ(refreshes(), "COMPLETED|user_1|user_1");
    enqueue({kept("msg_5")});
    EXPECT_EQ(refreshes(), "PENDING|user_1|user_1");
    // No user has an id that the database cannot hold; the event is kept.
    auto odd = kept("msg_6");
    odd.refresh = "\xff";
    EXPECT_FALSE(enqueue({odd})[0].duplicate);
    EXPECT_EQ(refreshes(), "PENDING|user_1|user_1");
}

TEST_F(Enqueue, AResendLeavesEveryOtherStateAlone) {
    const auto id = enqueue({event("msg_1")})[0].id;
    for (const auto* state : {"PENDING", "PROCESSING", "COMPLETED", "CANCELLED"}) {
        sql(fmt::format("UPDATE job_queue SET status = '{}'", state));
        EXPECT_EQ(enqueue({event("msg_1")})[0].id, id);
        EXPECT_EQ(status(id), state);
    }
}

TEST_F(Enqueue, WhatCannotBeStoredIsInvalidAndNothingIsStored) {
    auto bad_json = event("msg_1");
    bad_json.payload = R"({"clerk_id":)";
    auto bad_text = event("msg_2");
    bad_text.original_event = "\xFF";
    auto bad_escape = event("msg_3");
    bad_escape.payload = R"({"name":"\u0000"})";
    for (const auto& bad : {bad_json, bad_text, bad_escape}) {
        const auto stored = run(queue.enqueue(std::vector{event("msg_0"), bad}));
        ASSERT_FALSE(stored);
        EXPECT_EQ(stored.error().code, ErrorCode::invalid_input);
        EXPECT_THAT(stored.error().message, HasSubstr("SQLSTATE 22"));
        EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "0");
    }
}

TEST_F(Enqueue, ManyCallsWithTheSameEventsAtOnceMakeEachOnce) {
    std::vector<std::string> names;
    for (int i = 0; i < 40; ++i) names.push_back(fmt::format("msg_{:02}", i));
    struct Seen {
        int calls = 0;
        int duplicates = 0;
        std::set<std::string> ids;
    } seen;
    const auto call = [](JobQueue& to, std::vector<NewJob> jobs, Seen& all) -> Task<> {
        const auto stored = co_await to.enqueue(jobs);
        EXPECT_TRUE(stored);
        for (const auto& one : *stored) {
            all.ids.insert(one.id);
            all.duplicates += one.duplicate ? 1 : 0;
        }
        ++all.calls;
    };
    // Each in another order, so that locks taken in that order would be a deadlock.
    for (std::size_t n = 0; n < 16; ++n) {
        std::vector<NewJob> jobs;
        for (std::size_t i = 0; i < names.size(); ++i) {
            jobs.push_back(event(names[(i * 7 + n * 13) % names.size()]));
        }
        spawn(io.get_executor(), "call", call(queue, std::move(jobs), seen));
    }
    ASSERT_TRUE(wait_until([&] { return seen.calls == 16; }));
    EXPECT_EQ(seen.ids.size(), 40U);
    EXPECT_EQ(seen.duplicates, 15 * 40);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "40");
}

TEST_F(Enqueue, TenThousandInOneCall) {
    std::vector<std::string> names;
    for (int i = 0; i < 10'000; ++i) names.push_back(fmt::format("msg_{}", i));
    std::vector<NewJob> jobs;
    for (const auto& name : names) jobs.push_back(event(name));
    const auto stored = enqueue(jobs);
    EXPECT_EQ(stored.size(), 10'000U);
    EXPECT_EQ(sql("SELECT count(DISTINCT event_id) FROM job_queue"), "10000");
    for (std::size_t i = 0; i < stored.size(); i += 997) {
        EXPECT_EQ(column(stored[i].id, "event_id"), names[i]);
    }
}

class Claim : public JobsTest {};

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
    for (int i = 0; i < 4; ++i) order.push_back(claim(1).at(0).id);
    EXPECT_EQ(order, (std::vector{first, second, third, last}));
}

TEST_F(Claim, FillsTheJobAndTheRow) {
    const auto id = add("REFRESH_USER", 3, "now() - interval '5 seconds'");
    sql("UPDATE job_queue SET max_attempts = 4, event_id = 'e', original_event = 'bytes', "
        "created_at = now() - interval '10 seconds'");
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
    const pg::Statement isolation{"test_isolation",
                                  "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"};
    const pg::Statement look{"test_look", "SELECT count(*) FROM public.job_queue"};
    auto snapshot = run(pool.begin());
    run(snapshot.execute(isolation));
    run(snapshot.execute(look));
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
    const pg::Statement isolation{"test_isolation",
                                  "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"};
    const pg::Statement look{"test_look", "SELECT count(*) FROM public.job_queue"};
    auto snapshot = run(pool.begin());
    run(snapshot.execute(isolation));
    run(snapshot.execute(look));
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
    const pg::Statement all[] = {
        sql::enqueue,       sql::resend,        sql::refresh,      sql::claim,
        sql::renew,         sql::complete,      sql::retry,        sql::bury,
        sql::release,       sql::rescue,        sql::table_pages,  sql::database_now,
        sql::deleted_since, sql::sweep,         sql::depth,        sql::lease_hold,
        sql::lease_release, sql::list,          sql::show,         sql::history,
        sql::state,         sql::retry_by_hand, sql::retry_failed, sql::cancel_by_hand,
        sql::stats,         sql::stuck,         sql::review,       sql::leased_priorities};
    for (const auto& statement : all) {
        EXPECT_NO_THROW(sql(fmt::format("PREPARE {} AS {}", statement.name, statement.text)))
            << statement.name;
    }
}

}  // namespace
}  // namespace rollcall::jobs
