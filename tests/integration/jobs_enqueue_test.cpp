#include "jobs_fixture.hpp"

#include "crypto/trace_of.hpp"

#include <set>

namespace rollcall::jobs {
namespace {

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

TEST_F(Enqueue, WhatIsAcknowledgedHasReachedTheDisk) {
    test::Database own(test::Database::Content::migrated);
    own.note_commits("INSERT");
    pg::Pool durable(io.get_executor(), "durable", 1, own.config(), registry);
    JobQueue door(durable);
    ASSERT_TRUE(run(door.enqueue(std::vector{event("msg_1")})));
    EXPECT_EQ(own.sql("SELECT string_agg(DISTINCT setting, ' ') FROM commits"), "on");
    run(durable.stop());
}

TEST_F(Enqueue, KeepsTheTraceThatADeliveryBrought) {
    const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    auto traced = event("msg_1");
    traced.trace = trace;
    const auto stored = enqueue({traced, event("msg_2")});
    EXPECT_EQ(column(stored[0].id, "trace"), trace);
    EXPECT_EQ(column(stored[1].id, "trace IS NULL"), "true");

    // Set going again by a resend, the job is of that one's trace; so are users to be read again.
    sql("UPDATE job_queue SET status = 'FAILED'");
    auto again = event("msg_2");
    again.trace = trace;
    again.failed = true;
    again.refresh = "user_1";
    EXPECT_TRUE(enqueue({again})[0].duplicate);
    EXPECT_EQ(column(stored[1].id, "trace"), trace);
    EXPECT_EQ(sql("SELECT trace FROM job_queue WHERE job_type = 'REFRESH_USER'"), trace);
}

TEST_F(Enqueue, AUserToBeReadAgainIsOfTheTraceOfTheEvent) {
    auto odd = event("msg_1");
    odd.failed = true;
    odd.refresh = "user_1";
    enqueue({odd});
    EXPECT_EQ(sql("SELECT trace FROM job_queue WHERE job_type = 'REFRESH_USER'"),
              crypto::trace_of("msg_1").to_header());
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

}  // namespace
}  // namespace rollcall::jobs
