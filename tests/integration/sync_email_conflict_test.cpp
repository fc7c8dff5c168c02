// Two users, one address: every way out, and none that lasts for ever.
#include "sync_fixture.hpp"

namespace rollcall::sync {
namespace {

using directory::Told;

class EmailConflict : public SyncTest {
protected:
    // user_a has x@example.com in the table; user_b's event wants it. Returns that job.
    std::string clash() {
        tell({.clerk_id = "user_a", .version = 1000, .email = "x@example.com"});
        return enqueue({.clerk_id = "user_b", .version = 2000, .email = "x@example.com"});
    }
    // The same of many: user_b0 wants what user_a0 had once, by Clerk.
    void clashes(int count) {
        const auto email = [](int i) { return fmt::format("{}@example.com", i); };
        for (int i = 0; i < count; ++i) {
            const std::string holder = fmt::format("user_a{}", i);
            tell({.clerk_id = holder, .version = 1000, .email = email(i)});
            clerk.has(holder, 1500, "new" + email(i));
        }
        for (int i = 0; i < count; ++i) {
            enqueue({.clerk_id = fmt::format("user_b{}", i), .version = 2000, .email = email(i)});
        }
    }
    // Returns when Clerk was asked so often.
    void asked(int times) {
        for (int i = 0; i < 1'000 && clerk.requests() < times; ++i) {
            EXPECT_FALSE(run(apply->asked(std::chrono::milliseconds(5))));
        }
    }
    // A row that the application made, without a Clerk id.
    std::string orphan(std::string_view clerk_id = "NULL") {
        return sql(
            fmt::format(R"(INSERT INTO users (clerk_id, email, name, "updatedAt", preferences)
            VALUES ({}, 'x@example.com', 'Local', now(), '{{"theme": "dark"}}') RETURNING id)",
                        clerk_id));
    }
};

TEST_F(EmailConflict, ADeletedHolderGivesTheAddressUp) {
    tell({.clerk_id = "user_a", .version = 1000, .email = "x@example.com"});
    // As another program's soft deletion leaves it.
    sql("UPDATE users SET deleted_at = now()");
    enqueue({.clerk_id = "user_b", .version = 2000, .email = "x@example.com"});
    EXPECT_EQ(work(), 1);
    EXPECT_EQ(row("user_b"), "Ann|x@example.com|user|alive");
    EXPECT_EQ(row("user_a"), "Ann|-|user|deleted");
    EXPECT_TRUE(clerk.asked.empty());
}

TEST_F(EmailConflict, ADeletedAndRecreatedUserTakesTheAddressAtOnce) {
    tell({.clerk_id = "user_a", .version = 1000, .email = "x@example.com"});
    enqueue({.clerk_id = "user_a", .version = 2000, .deletion = true});
    work();
    enqueue({.clerk_id = "user_b", .version = 3000, .email = "x@example.com"});
    work();
    EXPECT_EQ(row("user_b"), "Ann|x@example.com|user|alive");
    EXPECT_TRUE(clerk.asked.empty());
}

TEST_F(EmailConflict, AHolderThatClerkDoesNotKnowGivesTheAddressUpAndIsReadAgain) {
    somebody_known();
    const std::string job = clash();
    clerk.has("user_b", 2000, "x@example.com");
    work();
    EXPECT_EQ(row("user_a"), "Ann|-|user|alive");
    EXPECT_EQ(row("user_b"), "Ann|x@example.com|user|alive");
    EXPECT_EQ(clerk.asked["user_a"], 2);  // a 404 counts when it is said twice
    EXPECT_EQ(job_state(job), "COMPLETED 1 -");
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.ledger WHERE deleted_at IS NOT NULL"), "0");
    EXPECT_EQ(sql("SELECT subject FROM job_queue WHERE job_type = 'REFRESH_USER'"), "user_a");
}

TEST_F(EmailConflict, AKeyOfAnotherInstanceMakesNobodyGiveAnAddressUp) {
    const std::string job = clash();
    work();
    EXPECT_THAT(job_state(job), testing::StartsWith("PENDING 0 E-mail conflict: "));
    EXPECT_THAT(job_state(job), testing::HasSubstr("it may be of another instance"));
    EXPECT_EQ(row("user_a"), "Ann|x@example.com|user|alive");
}

TEST_F(EmailConflict, AClaimantThatClerkKnowsProvesTheKey) {
    clash();  // the ledger holds user_a only, whom Clerk has deleted without an event
    clerk.has("user_b", 2000, "x@example.com");
    work();
    EXPECT_EQ(row("user_b"), "Ann|x@example.com|user|alive");
    EXPECT_EQ(row("user_a"), "Ann|-|user|alive");
}

TEST_F(EmailConflict, WhileClerkTakesItsTimeNobodyElseWaits) {
    SteadyTimer answers(io.get_executor(), SteadyTimer::time_point::max());
    clerk.patience = &answers;
    clashes(8);
    EXPECT_EQ(run(apply->run_once()), 8);
    EXPECT_TRUE(apply->asking());
    enqueue({.clerk_id = "user_c"}, "USER_CREATED");
    EXPECT_EQ(run(apply->run_once()), 1);
    EXPECT_EQ(row("user_c"), "Ann|-|user|alive");
    asked(4);  // are under way; the others wait
    EXPECT_FALSE(run(apply->asked(std::chrono::milliseconds(20))));
    EXPECT_EQ(clerk.requests(), 4);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status = 'PENDING' AND run_at > now()"),
              "8");

    clerk.patience = nullptr;
    answers.cancel();
    EXPECT_TRUE(run(apply->asked(test::deadline)));
    EXPECT_EQ(sql("SELECT count(*) FROM users WHERE clerk_id LIKE 'user_b%'"), "8");
}

TEST_F(EmailConflict, WhenStoppingNobodyElseIsAsked) {
    SteadyTimer answers(io.get_executor(), SteadyTimer::time_point::max());
    clerk.patience = &answers;
    clashes(8);
    run(apply->run_once());
    asked(4);
    apply->stop();
    clerk.away = true;
    answers.cancel();
    EXPECT_TRUE(run(apply->asked(test::deadline)));
    EXPECT_EQ(clerk.requests(), 4);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status = 'PENDING' AND attempts = 0 "
                  "AND run_at > now()"),
              "8");
}

TEST_F(EmailConflict, AHolderThatHasMovedOnHandsTheAddressOver) {
    clash();
    clerk.has("user_a", 1500, "new@example.com");
    work();
    EXPECT_EQ(row("user_b"), "Ann|x@example.com|user|alive");
    EXPECT_EQ(row("user_a"), "Ann|-|user|alive");
    EXPECT_EQ(refresh_all(), 1);
    EXPECT_EQ(row("user_a"), "Ann|new@example.com|user|alive");
}

TEST_F(EmailConflict, AHolderThatStillHasItMakesTheJobFailNamingBoth) {
    const std::string job = clash();
    clerk.has("user_a", 1000, "x@example.com");
    clerk.has("user_b", 2000, "x@example.com");
    work();
    EXPECT_EQ(job_state(job),
              "FAILED 1 E-mail conflict: user_b has the address of user_a; "
              "Clerk says that user_a still has it");
    EXPECT_EQ(sql("SELECT history -> -1 ->> 'status' FROM job_queue WHERE status = 'FAILED'"),
              "FAILED");
    EXPECT_EQ(row("user_b"), "");
    EXPECT_EQ(row("user_a"), "Ann|x@example.com|user|alive");
}

TEST_F(EmailConflict, AClaimantThatHasMovedOnIsReadAgain) {
    const std::string job = clash();
    clerk.has("user_a", 1000, "x@example.com");
    clerk.has("user_b", 2500, "b@example.com");
    work();
    EXPECT_EQ(job_state(job), "COMPLETED 1 -");
    EXPECT_EQ(refresh_all(), 1);
    EXPECT_EQ(row("user_b"), "Ann|b@example.com|user|alive");
    EXPECT_EQ(row("user_a"), "Ann|x@example.com|user|alive");
}

// Somebody else has signed up with the address again; old news of who had it comes late.
TEST_F(EmailConflict, AClaimantThatIsGoneIsReadAgain) {
    const std::string job = clash();
    clerk.has("user_a", 1000, "x@example.com");
    work();
    EXPECT_EQ(job_state(job), "COMPLETED 1 -");
    EXPECT_EQ(row("user_b"), "");
    EXPECT_EQ(row("user_a"), "Ann|x@example.com|user|alive");
    EXPECT_EQ(sql("SELECT subject FROM job_queue WHERE job_type = 'REFRESH_USER'"), "user_b");
}

TEST_F(EmailConflict, WhileClerkIsAwayTheJobWaitsAndBurnsNoAttempt) {
    const std::string job = clash();
    for (const bool throws : {true, false}) {
        clerk.throws = throws;
        clerk.away = !throws;
        work();
        EXPECT_EQ(job_state(job),
                  fmt::format("PENDING 0 E-mail conflict: user_b has the address of user_a; "
                              "Clerk could not be asked who has it now: {}",
                              throws ? "no answer" : "503"));
        EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status = 'PENDING' AND run_at > now()"),
                  "1");
        pass_time();
    }
    clerk.away = false;
    clerk.has("user_a", 1500, "new@example.com");
    work();
    EXPECT_EQ(job_state(job), "COMPLETED 1 -");
    EXPECT_EQ(row("user_b"), "Ann|x@example.com|user|alive");
}

TEST_F(EmailConflict, WithoutAKeyTheJobWaitsUntilAnEventSettlesIt) {
    make(/*with_clerk=*/false);
    const std::string job = clash();
    for (int i = 0; i < 20; ++i) {  // more often than attempts_max
        work();
        ASSERT_EQ(job_state(job),
                  "PENDING 0 E-mail conflict: user_b has the address of user_a; "
                  "without a secret key Clerk cannot be asked who has it now");
        pass_time();
    }
    tell({.clerk_id = "user_a", .version = 3000, .email = "new@example.com"});
    work();
    EXPECT_EQ(job_state(job), "COMPLETED 1 -");
    EXPECT_EQ(row("user_b"), "Ann|x@example.com|user|alive");
}

TEST_F(EmailConflict, WithoutAKeyAJobThatNothingSettlesForDaysEndsAsADeadLetter) {
    retry.attempts_max = 2;
    make(/*with_clerk=*/false);
    const std::string job = clash();
    for (const auto& [age, state] : {std::pair{"71 hours", "PENDING 0 "},
                                     {"73 hours", "PENDING 1 "},
                                     {"73 hours", "FAILED 2 "}}) {
        pass_time();
        sql(fmt::format("UPDATE job_queue SET created_at = now() - interval '{}' WHERE id = '{}'",
                        age, job));
        work();
        EXPECT_THAT(job_state(job), testing::StartsWith(state));
    }
}

TEST_F(EmailConflict, WithoutAKeyASwapConvergesInWhateverOrder) {
    make(/*with_clerk=*/false);
    for (const bool back : {false, true}) {
        tell({.clerk_id = "user_a", .version = 1000, .email = "a@example.com"});
        tell({.clerk_id = "user_b", .version = 1000, .email = "b@example.com"});
        const Told a{.clerk_id = "user_a", .version = 2000, .email = "b@example.com"};
        const Told b{.clerk_id = "user_b", .version = 2001, .email = "a@example.com"};
        enqueue(back ? b : a);
        enqueue(back ? a : b);
        work();
        EXPECT_EQ(row("user_a"), "Ann|b@example.com|user|alive");
        EXPECT_EQ(row("user_b"), "Ann|a@example.com|user|alive");
        EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status <> 'COMPLETED'"), "0");
        sql("DELETE FROM users; DELETE FROM rollcall.ledger; DELETE FROM job_queue");
    }
}

TEST_F(EmailConflict, WithoutAKeyAHolderLeavesByAJobThatAnApplicationEnqueued) {
    make(/*with_clerk=*/false);
    const std::string job = clash();
    // Of 1970, and so older than what the table has of user_a; then newer.
    for (const auto& [made, outcome] : {std::pair{"1970-01-01T00:00:00.500Z", "PENDING 0 E-mail"},
                                        std::pair{"1970-01-01T00:00:01.500Z", "COMPLETED "}}) {
        sql(
            fmt::format("INSERT INTO job_queue (job_type, payload, run_at) VALUES ('USER_UPDATED', "
                        "'{{\"clerk_id\": \"user_a\", \"created_at\": \"{}\"}}', "
                        "now() + interval '1 hour')",
                        made));
        sql("UPDATE job_queue SET run_at = created_at WHERE id = '" + job + "'");
        make(/*with_clerk=*/false);
        work();
        EXPECT_THAT(job_state(job), testing::StartsWith(outcome));
    }
}

TEST_F(EmailConflict, WithoutAKeyASwapOfAdoptedRowsConverges) {
    make(/*with_clerk=*/false);
    for (const char* id : {"a", "b"}) {
        sql(
            fmt::format("INSERT INTO users (clerk_id, email, \"updatedAt\") "
                        "VALUES ('user_{0}', '{0}@example.com', now())",
                        id));
    }
    enqueue({.clerk_id = "user_a", .version = 2000, .email = "b@example.com"});
    enqueue({.clerk_id = "user_b", .version = 2001, .email = "a@example.com"});
    work();
    EXPECT_EQ(row("user_a"), "Ann|b@example.com|user|alive");
    EXPECT_EQ(row("user_b"), "Ann|a@example.com|user|alive");
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status <> 'COMPLETED'"), "0");
}

TEST_F(EmailConflict, WithoutAKeyAHolderWhoseNewestChangeKeepsTheAddressKeepsIt) {
    make(/*with_clerk=*/false);
    const std::string job = clash();
    // Both wait: the first leaves the address, the newer one takes it back.
    for (const auto& [version, email] :
         {std::pair{2000, "gone@example.com"}, std::pair{3000, "x@example.com"}}) {
        sql("UPDATE job_queue SET run_at = now() + interval '1 hour' WHERE id = '" +
            enqueue({.clerk_id = "user_a", .version = version, .email = email}) + "'");
    }
    work();
    EXPECT_THAT(job_state(job), testing::StartsWith("PENDING 0 E-mail conflict"));
    EXPECT_EQ(row("user_a"), "Ann|x@example.com|user|alive");
}

TEST_F(EmailConflict, ARowWithoutAClerkIdIsAdoptedWhenTheAddressIsVerified) {
    for (const char* clerk_id : {"NULL", "'NULL'"}) {
        const std::string id = orphan(clerk_id);
        const Told told{.clerk_id = "user_b", .version = 2000, .email = "x@example.com"};
        keep_event(enqueue(told), told, /*verified=*/true);
        work();
        EXPECT_EQ(row("user_b"), "Ann|x@example.com|user|alive");
        EXPECT_EQ(sql("SELECT id || ' ' || (preferences ->> 'theme') FROM users"), id + " dark");
        EXPECT_EQ(sql("SELECT user_id FROM rollcall.ledger"), id);
        EXPECT_TRUE(clerk.asked.empty());
        sql("DELETE FROM users; DELETE FROM rollcall.ledger; DELETE FROM job_queue");
    }
}

TEST_F(EmailConflict, AnUnverifiedAddressAdoptsNothing) {
    const std::string id = orphan();
    const Told told{.clerk_id = "user_b", .version = 2000, .email = "x@example.com"};
    const std::string job = enqueue(told);
    keep_event(job, told, /*verified=*/false);
    work();
    EXPECT_EQ(job_state(job), "FAILED 1 E-mail conflict: user_b has the address of row " + id +
                                  ", which has no Clerk id; it is adopted only when Clerk has "
                                  "verified the address");
    EXPECT_EQ(sql("SELECT count(*) FROM users WHERE clerk_id IS NULL"), "1");
}

TEST_F(EmailConflict, WithoutTheEventClerkIsAskedWhetherTheAddressIsVerified) {
    orphan();
    const std::string job =
        enqueue({.clerk_id = "user_b", .version = 2000, .email = "x@example.com"});
    clerk.has("user_b", 2000, "x@example.com", /*verified=*/false);
    work();
    EXPECT_THAT(job_state(job), testing::StartsWith("FAILED 1 E-mail conflict"));
    clerk.has("user_b", 2000, "x@example.com", /*verified=*/true);
    sql(fmt::format("SELECT rollcall.retry_job('{}')", job));
    pass_time();
    work();
    EXPECT_EQ(row("user_b"), "Ann|x@example.com|user|alive");
}

TEST_F(EmailConflict, AUserWithARowAdoptsNoSecond) {
    tell({.clerk_id = "user_b", .version = 1000, .email = "b@example.com"});
    orphan();
    const Told told{.clerk_id = "user_b", .version = 2000, .email = "x@example.com"};
    const std::string job = enqueue(told);
    keep_event(job, told, /*verified=*/true);
    work();
    EXPECT_THAT(job_state(job), testing::HasSubstr("it cannot be adopted, user_b has row"));
    EXPECT_EQ(row("user_b"), "Ann|b@example.com|user|alive");
}

// fault 29
TEST_F(EmailConflict, ASwapConverges) {
    tell({.clerk_id = "user_a", .version = 1000, .email = "a@example.com"});
    tell({.clerk_id = "user_b", .version = 1000, .email = "b@example.com"});
    clerk.has("user_a", 2000, "b@example.com");
    clerk.has("user_b", 2001, "a@example.com");
    enqueue({.clerk_id = "user_a", .version = 2000, .email = "b@example.com"});
    enqueue({.clerk_id = "user_b", .version = 2001, .email = "a@example.com"});
    work();
    refresh_all();
    EXPECT_EQ(row("user_a"), "Ann|b@example.com|user|alive");
    EXPECT_EQ(row("user_b"), "Ann|a@example.com|user|alive");
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status <> 'COMPLETED'"), "0");
}

TEST_F(EmailConflict, ARingOfThreeConvergesByReadsAlone) {
    for (const char* id : {"a", "b", "c"}) {
        tell({.clerk_id = fmt::format("user_{}", id),
              .version = 1000,
              .email = fmt::format("{}@example.com", id)});
    }
    clerk.has("user_a", 2000, "b@example.com");
    clerk.has("user_b", 2000, "c@example.com");
    clerk.has("user_c", 2000, "a@example.com");
    sql("INSERT INTO job_queue (job_type, subject) VALUES ('REFRESH_USER', 'user_a')");
    refresh_all();
    EXPECT_EQ(row("user_a"), "Ann|b@example.com|user|alive");
    EXPECT_EQ(row("user_b"), "Ann|c@example.com|user|alive");
    EXPECT_EQ(row("user_c"), "Ann|a@example.com|user|alive");
}

TEST_F(EmailConflict, AReadThatCountsForAllItsOlderVersionTakesTheAddress) {
    clash();
    work();
    // An application's job, whose version is the time when it was added.
    tell({.clerk_id = "user_b", .version = 900, .email = "b@example.com"});
    sql("UPDATE rollcall.ledger SET version = 9000, dated_by_clerk = false "
        "WHERE clerk_id = 'user_b'");
    clerk.has("user_a", 2000, "a@example.com");
    clerk.has("user_b", 2000, "x@example.com");
    sql("DELETE FROM job_queue; INSERT INTO job_queue (job_type, subject) "
        "VALUES ('REFRESH_USER', 'user_b')");
    refresh_all();
    EXPECT_EQ(row("user_b"), "Ann|x@example.com|user|alive");
    EXPECT_EQ(row("user_a"), "Ann|a@example.com|user|alive");
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status <> 'COMPLETED'"), "0");
}

TEST_F(EmailConflict, OneAddressClaimedTwiceInOneBatchIsSettled) {
    somebody_known();
    enqueue({.clerk_id = "user_a", .version = 1000, .email = "x@example.com"});
    enqueue({.clerk_id = "user_b", .version = 2000, .email = "x@example.com"});
    clerk.has("user_b", 2000, "x@example.com");
    work();
    EXPECT_EQ(row("user_a"), "Ann|-|user|alive");
    EXPECT_EQ(row("user_b"), "Ann|x@example.com|user|alive");
}

TEST_F(EmailConflict, TheOthersOfTheBatchGoOn) {
    clerk.away = true;
    clash();
    for (int i = 0; i < 20; ++i) enqueue({.clerk_id = fmt::format("user_{}", i)});
    work();
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status = 'COMPLETED'"), "21");
    EXPECT_EQ(clerk.asked["user_a"], 1);
}

TEST_F(EmailConflict, AReasonNeverHoldsTheAddress) {
    clash();
    clerk.has("user_a", 1000, "x@example.com");
    work();
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE error LIKE '%example%' "
                  "OR history::text LIKE '%example%'"),
              "0");
}

TEST_F(EmailConflict, AnIdThatClerkCannotHaveIsNotTakenForADeletedUser) {
    orphan("'legacy-7'");
    const std::string job =
        enqueue({.clerk_id = "user_b", .version = 2000, .email = "x@example.com"});
    clerk.hook = [](const std::string&) {};
    // The client refuses such an id before it asks.
    clerk.users["legacy-7"] = {};
    clerk.has("legacy-7", 1, "x@example.com");
    clerk.has("user_b", 2000, "x@example.com");
    work();
    EXPECT_THAT(job_state(job), testing::StartsWith("FAILED 1 E-mail conflict: user_b has the "
                                                    "address of legacy-7"));
}

}  // namespace
}  // namespace rollcall::sync
