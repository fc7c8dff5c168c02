// Many jobs at once, by a filter: what is found, what is changed, and what the audit log has of it.
#include "jobs_fixture.hpp"

#include "jobs/chores.hpp"
#include "jobs/queue_admin.hpp"

#include <algorithm>
#include <set>

namespace rollcall::jobs {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class Bulk : public JobsTest {
protected:
    QueueAdmin admin{pool};
    const Order order{.by = {.kind = Actor::Kind::cli, .name = "ann"}, .note = "mended"};

    std::string made(const std::string& state, const std::string& kind, const std::string& subject,
                     const std::string& error = "", const std::string& age = "1 minute") const {
        return sql(
            fmt::format("INSERT INTO job_queue (job_type, status, subject, error, created_at) "
                        "VALUES ('{}', '{}', '{}', nullif('{}', ''), now() - interval '{}') "
                        "RETURNING id",
                        kind, state, subject, error, age));
    }
    Changed change(Verb verb, const JobFilter& filter, bool dry_run = false) {
        auto changed = run(admin.change(verb, filter, dry_run, order));
        EXPECT_TRUE(changed) << changed.error().message;
        return changed ? std::move(*changed) : Changed{};
    }
    [[nodiscard]] std::string entries(const std::string& action) const {
        return sql(
            fmt::format("SELECT count(*) FROM rollcall.audit_log a JOIN job_queue j "
                        "ON j.id::text = a.target WHERE action = '{}'",
                        action));
    }
};

TEST_F(Bulk, ARetryTakesTheDeadLettersOfItsFilterOnly) {
    const auto timeout = made("FAILED", "REFRESH_USER", "user_1", "Clerk: timeout");
    const auto refused = made("FAILED", "REFRESH_USER", "user_2", "Clerk: 422 refused");
    const auto other = made("FAILED", "USER_UPDATED", "user_2", "the table: 23505");
    const auto old = made("FAILED", "USER_UPDATED", "user_3", "timeout", "3 days");
    const auto cancelled = made("CANCELLED", "REFRESH_USER", "user_1", "timeout");
    made("FAILED", "SEND_EMAIL", "user_1", "timeout");  // an application's
    const auto found = [&](JobFilter filter) {
        return change(Verb::retry, filter, /*dry_run=*/true).matched;
    };
    EXPECT_THAT(found({}), UnorderedElementsAre(timeout, refused, other, old));
    EXPECT_THAT(found({.kind = "REFRESH_USER"}), UnorderedElementsAre(timeout, refused));
    EXPECT_THAT(found({.subject = "user_2"}), UnorderedElementsAre(refused, other));
    EXPECT_THAT(found({.reason = "TimeOut"}), UnorderedElementsAre(timeout, old));
    EXPECT_THAT(found({.reason = "timeout", .since = 24h}), ElementsAre(timeout));
    EXPECT_THAT(found({.status = "CANCELLED"}), ElementsAre(cancelled));
    EXPECT_THAT(found({.event_id = "msg_1"}), IsEmpty());
    EXPECT_EQ(entries("job.retry"), "0");

    const auto done = change(Verb::retry, {.kind = "REFRESH_USER"});
    EXPECT_THAT(done.changed, UnorderedElementsAre(timeout, refused));
    EXPECT_FALSE(done.more);
    EXPECT_EQ(status(timeout) + status(refused) + status(other), "PENDINGPENDINGFAILED");
    EXPECT_EQ(sql("SELECT string_agg(DISTINCT concat_ws(' ', actor, actor_name, reason), '; ') "
                  "FROM rollcall.audit_log a JOIN job_queue j ON j.id::text = a.target"),
              "cli ann mended");
    EXPECT_EQ(entries("job.retry"), "2");
}

TEST_F(Bulk, ACancellationTakesWhatIsNotFinished) {
    const auto due = made("PENDING", "USER_CREATED", "user_1");
    const auto later = made("PENDING", "USER_CREATED", "user_2");
    sql(fmt::format("UPDATE job_queue SET run_at = now() + interval '1 day' WHERE id = '{}'",
                    later));
    sql(fmt::format("UPDATE job_queue SET run_at = created_at WHERE id = '{}'", due));
    const auto leased = made("PENDING", "REFRESH_USER", "user_1");
    const auto mirror = made("PENDING", "MIRROR_USER", "user_1");
    const auto running = made("PROCESSING", "REFRESH_USER", "user_2");
    const auto failed = made("FAILED", "REFRESH_USER", "user_1");
    const auto foreign = made("PENDING", "SEND_EMAIL", "user_1");
    EXPECT_THAT(change(Verb::cancel, {}, true).matched,
                UnorderedElementsAre(due, later, leased, mirror, running));
    EXPECT_THAT(change(Verb::cancel, {.status = "PROCESSING"}, true).matched, ElementsAre(running));
    EXPECT_THAT(change(Verb::cancel, {.kind = "SEND_EMAIL"}, true).matched, ElementsAre(foreign));
    EXPECT_THAT(change(Verb::cancel, {.subject = "user_2"}).changed,
                UnorderedElementsAre(later, running));
    EXPECT_EQ(status(running) + status(failed) + status(due), "CANCELLEDFAILEDPENDING");
    EXPECT_EQ(entries("job.cancel"), "2");
}

TEST_F(Bulk, WhatCannotBeRetriedIsNotFound) {
    const auto blanked = made("FAILED", "USER_CREATED", "user_1");
    sql("UPDATE job_queue SET blanked_at = now()");
    sql("INSERT INTO job_queue (job_type, status, event_id) "
        "VALUES ('UNKNOWN_EVENT', 'FAILED', 'msg_1')");  // kept for review
    EXPECT_THAT(change(Verb::retry, {}).matched, IsEmpty());
    for (const auto& [verb, state] :
         {std::pair(Verb::retry, "PENDING"), std::pair(Verb::cancel, "FAILED"),
          std::pair(Verb::cancel, "DONE")}) {
        const auto refused = run(admin.change(verb, {.status = state}, false, order));
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, ErrorCode::invalid_input);
    }
}

TEST_F(Bulk, ManyAreChangedInStepsUpToTheLimit) {
    sql("INSERT INTO job_queue (job_type, status, subject, event_id) SELECT 'MIRROR_USER', "
        "'FAILED', "
        "'user_' || n, 'mirror:user_' || n FROM generate_series(1, 1203) n");
    const auto first = change(Verb::retry, {.limit = 1100});
    EXPECT_EQ(first.changed.size(), 1100U);
    EXPECT_TRUE(first.more);
    const auto rest = change(Verb::retry, {.limit = 1100});
    EXPECT_EQ(rest.changed.size(), 103U);
    EXPECT_FALSE(rest.more);
    EXPECT_EQ(entries("job.retry"), "1203");
    // No step held more than its share of rows.
    EXPECT_EQ(sql("SELECT max(jobs) FROM (SELECT count(*) AS jobs FROM rollcall.audit_log "
                  "WHERE action = 'job.retry' AND detail ->> 'kind' = 'MIRROR_USER' "
                  "GROUP BY xmin) step"),
              "500");
}

TEST_F(Bulk, ReasonsAreCountedWithoutTheIdsInThem) {
    made("FAILED", "MIRROR_USER", "user_1", "user_2aB and user_3Cd claim one address");
    const auto newest =
        made("FAILED", "MIRROR_USER", "user_2", "user_9x and user_7y claim one address");
    sql("UPDATE job_queue SET processed_at = created_at");
    sql(fmt::format("UPDATE job_queue SET processed_at = now() WHERE id = '{}'", newest));
    made("FAILED", "REFRESH_USER", "user_3", "row 01a2003d-b678-77f8-bc5d-f45e2b4b6a49 is gone");
    made("PENDING", "REFRESH_USER", "user_3", "busy");
    const auto reasons = run(admin.reasons(std::nullopt));
    ASSERT_EQ(reasons.size(), 2U);
    EXPECT_EQ(reasons[0].reason, "… and … claim one address");
    EXPECT_EQ(reasons[0].jobs, 2);
    EXPECT_EQ(reasons[0].example, newest);
    EXPECT_EQ(reasons[1].reason, "row … is gone");
    EXPECT_EQ(run(admin.reasons("REFRESH_USER")).size(), 1U);
}

TEST_F(Bulk, AListMayBeOfAReasonAndOfAnAge) {
    const auto timeout = made("FAILED", "REFRESH_USER", "user_1", "Clerk: timeout");
    made("FAILED", "REFRESH_USER", "user_1", "Clerk: 422");
    made("FAILED", "REFRESH_USER", "user_1", "timeout", "3 days");
    const auto page = run(admin.list({.reason = "TIMEOUT", .since = 24h}));
    ASSERT_TRUE(page);
    ASSERT_EQ(page->jobs.size(), 1U);
    EXPECT_EQ(page->jobs[0].id, timeout);
}

// fault 46
// An operator retries, another cancels, and a sweep comes by: each change that is told is in the
// audit log, no other is, and no job is due again without its data.
TEST_F(Bulk, RetryCancelAndSweepOfOneJobAtOnce) {
    ChoresConfig config{.holder = "test"};
    config.keep_personal_failed = 1ms;
    Chores chores(io.get_executor(), pool, config, metrics);
    constexpr int rounds = 200;
    int wins = 0;
    for (int round = 0; round < rounds; ++round) {
        const auto id = sql(
            "DELETE FROM job_queue; INSERT INTO job_queue (job_type, status, subject, payload, "
            "attempts, processed_at) VALUES ('REFRESH_USER', 'FAILED', 'user_1', "
            "'{\"clerk_id\":\"user_1\",\"email\":\"a@example.com\"}', 3, now() - interval '1 day') "
            "RETURNING id");
        int ended = 0;
        int changed = 0;
        const auto change_by = [&](bool retries) -> Task<> {
            const auto done = retries ? co_await admin.retry(id) : co_await admin.cancel(id);
            changed += done ? 1 : 0;
            ++ended;
        };
        const auto sweep = [&]() -> Task<> {
            co_await chores.sweep();
            ++ended;
        };
        // Each of the three begins first in its turn.
        for (int turn = 0; turn < 3; ++turn) {
            const int who = (round + turn) % 3;
            if (who == 2) {
                spawn(io.get_executor(), "sweep", sweep());
            } else {
                spawn(io.get_executor(), "operator", change_by(who == 0));
            }
        }
        ASSERT_TRUE(wait_until([&] { return ended == 3; }));
        const auto state = column(id,
                                  "status || CASE WHEN blanked_at IS NULL THEN '' ELSE "
                                  "' blanked' END");
        EXPECT_THAT(
            (std::set<std::string>{"FAILED blanked", "PENDING", "CANCELLED", "CANCELLED blanked"}),
            testing::Contains(state));
        EXPECT_EQ(changed, state.starts_with("FAILED") ? 0 : state == "PENDING" ? 1 : 2) << state;
        EXPECT_EQ(
            sql(fmt::format("SELECT count(*) FROM rollcall.audit_log WHERE target = '{}'", id)),
            std::to_string(changed));
        wins += changed > 0 ? 1 : 0;
    }
    EXPECT_GT(wins, 0);
    EXPECT_LT(wins, rounds);
}

}  // namespace
}  // namespace rollcall::jobs
