// What the mirror is told: one job for each user of whom something was learned, in the transaction
// that learns it, and what it reads then.
#include "directory_fixture.hpp"

#include "crypto/trace_of.hpp"
#include "directory/email_rows.hpp"

namespace rollcall::directory {
namespace {

class DirectoryOutbox : public DirectoryTest {
protected:
    explicit DirectoryOutbox(bool on = true) : DirectoryTest({.columns = {}, .mirror = on}) {}

    // "subject status version, …" of the mirror's jobs, by user.
    [[nodiscard]] std::string jobs() const {
        return sql(
            "SELECT string_agg(concat_ws(' ', subject, status, version), ', ' ORDER BY subject, "
            "id) "
            "FROM job_queue WHERE job_type = 'MIRROR_USER'");
    }
    [[nodiscard]] std::string column(const std::string& expression) const {
        return sql("SELECT (" + expression +
                   ")::text FROM job_queue WHERE job_type = 'MIRROR_USER'");
    }
    void set_job(const std::string& values) const {
        sql("UPDATE job_queue SET " + values + " WHERE job_type = 'MIRROR_USER'");
    }
    // The copy of user_a, written with what the row says now.
    void written() {
        const auto row = run(directory->outbox().row(pool, "user_a"));
        sql(
            fmt::format("INSERT INTO rollcall.mirror_users (clerk_id, auth_id, content_hash) "
                        "VALUES ('user_a', gen_random_uuid(), {})",
                        row.content_hash));
    }
    MirroredRow mirrored(std::string_view clerk_id = "user_a") {
        return run(directory->outbox().row(pool, clerk_id));
    }
};

class DirectoryOutboxOff : public DirectoryOutbox {
protected:
    DirectoryOutboxOff() : DirectoryOutbox(false) {}
};

TEST_F(DirectoryOutbox, AChangeArmsOneJobThatNamesTheUserAndNothingElse) {
    tell({.version = 1000, .email = "a@example.com"}, "USER_CREATED");
    EXPECT_EQ(jobs(), "user_a PENDING 1");
    EXPECT_EQ(column("concat_ws('|', event_id, run_at <= now(), payload)"),
              R"(mirror:user_a|t|{"clerk_id": "user_a", "retry_count": 0})");
    tell({.version = 2000, .email = "b@example.com"});
    tell({.version = 3000, .deletion = true});
    EXPECT_EQ(jobs(), "user_a PENDING 1") << "it reads the row when it runs";
}

TEST_F(DirectoryOutbox, WhatAChangeArmsBelongsToItsTrace) {
    const std::string brought = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const auto trace = [&] {
        const std::string seen = column("trace");
        sql("DELETE FROM job_queue WHERE job_type = 'MIRROR_USER'");
        return seen;
    };
    enqueue({.clerk_id = "user_a", .version = 1000});
    sql("UPDATE job_queue SET trace = '" + brought + "', event_id = 'msg_1'");
    drain();
    EXPECT_EQ(trace(), brought);
    const auto id = enqueue({.clerk_id = "user_a", .version = 2000, .email = "a@example.com"});
    sql("UPDATE job_queue SET event_id = 'msg_2' WHERE id = '" + id + "'");
    drain();
    EXPECT_EQ(trace(), crypto::trace_of("msg_2").to_header());
    tell({.version = 3000, .email = "b@example.com"});  // of no delivery
    EXPECT_EQ(trace(), "");
    // The newest of several changes armed it.
    const auto old = enqueue({.version = 4000, .email = "c@example.com"});
    enqueue({.version = 5000, .email = "d@example.com"});
    sql("UPDATE job_queue SET event_id = 'msg_' || version, "
        "trace = CASE WHEN id = '" +
        old + "' THEN '" + brought +
        "' END "
        "WHERE status = 'PENDING'");
    drain();
    EXPECT_EQ(trace(), crypto::trace_of("msg_5000").to_header());
}

TEST_F(DirectoryOutbox, ADoubtBelongsToTheTraceOfTheChange) {
    tell({.version = 1000, .email = "a@example.com"});
    const auto id = enqueue({.version = 1000, .email = "b@example.com"});
    sql("UPDATE job_queue SET event_id = 'msg_tie' WHERE id = '" + id + "'");
    EXPECT_EQ(drain(), std::vector{Outcome::tie});
    EXPECT_EQ(sql("SELECT trace FROM job_queue WHERE job_type = 'REFRESH_USER'"),
              crypto::trace_of("msg_tie").to_header());
}

TEST_F(DirectoryOutbox, WhatIsKnownAlreadyArmsNothing) {
    tell({.version = 2000, .email = "a@example.com"});
    sql("DELETE FROM job_queue WHERE job_type = 'MIRROR_USER'");
    EXPECT_EQ(tell({.version = 2000, .email = "a@example.com"}), Outcome::unchanged);
    EXPECT_EQ(tell({.version = 1000, .email = "old@example.com"}), Outcome::superseded);
    EXPECT_EQ(read({.version = 2000, .email = "a@example.com"}).outcome, Outcome::unchanged);
    EXPECT_EQ(jobs(), "");
}

TEST_F(DirectoryOutbox, BansReadsDeletionsAndNewcomersArmToo) {
    const auto armed = [&] {
        const std::string seen = jobs();
        sql("DELETE FROM job_queue WHERE job_type = 'MIRROR_USER'");
        return seen;
    };
    tell({.version = 1000, .email = "a@example.com"});
    EXPECT_EQ(armed(), "user_a PENDING 1");
    tell({.version = 2000, .email = "a@example.com", .banned = true});
    EXPECT_EQ(armed(), "user_a PENDING 1");
    read({.version = 3000, .email = "b@example.com"});
    EXPECT_EQ(armed(), "user_a PENDING 1");
    sql("UPDATE users SET name = 'by hand'");
    EXPECT_EQ(read({.version = 3000, .email = "b@example.com"}).outcome, Outcome::applied);
    EXPECT_EQ(armed(), "user_a PENDING 1") << "a row that was repaired";
    read({.version = 3000, .deletion = true});
    EXPECT_EQ(armed(), "user_a PENDING 1");

    const Read newcomer{.clerk_id = "user_n",
                        .state = Snapshot{.version = 1,
                                          .email = "n@example.com",
                                          .name = "N",
                                          .role = "user",
                                          .banned = false,
                                          .locked = false,
                                          .clerk_created_at = std::nullopt},
                        .asked_at = later()};
    ASSERT_TRUE(run(directory->add(pool, {&newcomer, 1})));
    EXPECT_EQ(armed(), "user_n PENDING 1");
}

TEST_F(DirectoryOutbox, WhatIsRolledBackIsNotTold) {
    const auto id = enqueue({.email = "a@example.com"});
    const auto half_done = [&]() -> Task<> {
        pg::Transaction tx = co_await directory->begin(pool);
        EXPECT_TRUE(co_await directory->apply_job(tx, id));
    };
    run(half_done());
    EXPECT_EQ(jobs(), "");
    EXPECT_EQ(row(), "");
    drain();
    EXPECT_EQ(jobs(), "user_a PENDING 1");
}

// A process that dies between two transactions would leave a copy behind for ever.
TEST_F(DirectoryOutbox, TheTransactionThatLearnsIsTheOneThatArms) {
    const auto together = [&] {
        const std::string same =
            sql("SELECT string_agg((j.xmin = l.xmin)::text, ' ') FROM rollcall.ledger l "
                "JOIN job_queue j ON j.subject = l.clerk_id AND j.job_type = 'MIRROR_USER'");
        sql("DELETE FROM job_queue WHERE job_type = 'MIRROR_USER'");
        return same;
    };
    tell({.version = 1000, .email = "a@example.com"});
    EXPECT_EQ(together(), "true") << "an event among others";
    const auto id = enqueue({.version = 2000, .email = "b@example.com"});
    const auto alone = [&]() -> Task<> {
        pg::Transaction tx = co_await directory->begin(pool);
        EXPECT_TRUE(co_await directory->apply_job(tx, id));
        co_await tx.commit();
    };
    run(alone());
    EXPECT_EQ(together(), "true") << "an event alone";
    read({.version = 3000, .email = "c@example.com"});
    EXPECT_EQ(together(), "true") << "a read";
    tell({.version = 4000, .deletion = true});
    EXPECT_EQ(together(), "true") << "a deletion";
    sql("DELETE FROM users; DELETE FROM rollcall.ledger");
    const Read newcomer{.clerk_id = "user_n",
                        .state = Snapshot{.version = 1,
                                          .email = "n@example.com",
                                          .name = "N",
                                          .role = "user",
                                          .banned = false,
                                          .locked = false,
                                          .clerk_created_at = std::nullopt},
                        .asked_at = later()};
    ASSERT_TRUE(run(directory->add(pool, {&newcomer, 1})));
    EXPECT_EQ(together(), "true") << "a newcomer of a pass";
}

TEST_F(DirectoryOutbox, OneThatRunsKeepsItsLeaseAndLearnsOfTheNews) {
    tell({.version = 1000});
    set_job(
        "status = 'PROCESSING', attempts = 3, leased_by = 'w', fence = 7, "
        "lease_until = now() + interval '1 minute'");
    const auto before = column("concat_ws('|', updated_at, created_at, run_at, history)");
    tell({.version = 2000, .name = "Anna"});
    EXPECT_EQ(jobs(), "user_a PROCESSING 2");
    EXPECT_EQ(column("concat_ws('|', attempts, leased_by, fence, lease_until > now())"), "0|w|7|t")
        << "the news was not tried yet";
    EXPECT_EQ(column("concat_ws('|', updated_at, created_at, run_at, history)"), before);
}

TEST_F(DirectoryOutbox, OneThatEndedBadlyOrWasPutOffForItBeginsAnew) {
    int version = 1000;
    tell({.version = version});
    for (const char* state :
         {"status = 'FAILED', processed_at = now(), error = 'x'",
          "status = 'CANCELLED', processed_at = now(), error = 'x'",
          "status = 'PENDING', run_at = now() + interval '1 hour', error = 'x'"}) {
        set_job(std::string(state) +
                ", attempts = 4, created_at = now() - interval '2 days', "
                "payload = payload || '{\"retry_count\": 3}'");
        tell({.version = version += 1000, .name = fmt::format("{}", version)});
        EXPECT_EQ(column("concat_ws('|', status, attempts, error IS NULL, processed_at IS NULL, "
                         "run_at <= now(), created_at > now() - interval '1 hour', "
                         "payload ->> 'retry_count', history -> -1 ->> 'status')"),
                  "PENDING|0|t|t|t|t|0|PENDING")
            << state;
    }
}

// News do not wait for what an older state was put off for: an outage, a write that may come late.
TEST_F(DirectoryOutbox, OneThatWaitsForNoFaultOfItsOwnIsDueAtOnce) {
    tell({.version = 1000});
    set_job("run_at = now() + interval '1 hour'");
    tell({.version = 2000, .name = "Anna"});
    EXPECT_EQ(column("run_at <= now()"), "true");
}

TEST_F(DirectoryOutbox, OneThatIsDueCostsNoWrite) {
    tell({.version = 1000});
    set_job("run_at = now() - interval '1 minute'");
    const auto before = column("concat_ws('|', xmin, run_at, version)");
    tell({.version = 2000, .name = "Anna"});
    EXPECT_EQ(column("concat_ws('|', xmin, run_at, version)"), before);
}

TEST_F(DirectoryOutbox, TwoTransactionsOfOneUserAreOneJob) {
    const auto first = enqueue({.version = 1000});
    const auto second = enqueue({.version = 2000, .name = "Anna"});
    pg::Transaction one = run(directory->begin(pool));
    ASSERT_TRUE(run(directory->apply_job(one, first)));
    bool done = false;
    const auto other = [&]() -> Task<> {
        pg::Transaction tx = co_await directory->begin(pool);
        EXPECT_TRUE(co_await directory->apply_job(tx, second));
        co_await tx.commit();
        done = true;
    };
    spawn(io.get_executor(), "other", other());
    ASSERT_TRUE(test::wait_until(io, [&] {
        return sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                   "wait_event_type = 'Lock'") == "1";
    }));
    run(one.commit());
    ASSERT_TRUE(test::wait_until(io, [&] { return done; }));
    EXPECT_EQ(jobs(), "user_a PENDING 1");
}

TEST_F(DirectoryOutbox, AnAddressThatIsTakenAwayOrARowThatIsAdoptedArmsItsUser) {
    const auto in_transaction = [&](auto step) {
        const auto all = [&]() -> Task<> {
            pg::Transaction tx = co_await directory->begin(pool);
            co_await step(tx);
            co_await tx.commit();
        };
        run(all());
    };
    tell({.clerk_id = "user_h", .email = "x@example.com"});
    sql("DELETE FROM job_queue WHERE job_type = 'MIRROR_USER'");
    const auto holder = sql("SELECT id FROM users");
    in_transaction([&](pg::Transaction& tx) -> Task<> {
        EXPECT_TRUE(co_await directory->emails().release(
            tx, {.row = holder, .clerk_id = "user_h", .deleted = false}));
    });
    EXPECT_EQ(jobs(), "user_h PENDING 1");

    const auto orphan = sql(R"(INSERT INTO users (clerk_id, email, name, "updatedAt")
                               VALUES ('NULL', 'y@example.com', 'Local', now()) RETURNING id)");
    in_transaction([&](pg::Transaction& tx) -> Task<> {
        const auto adopted = co_await directory->emails().adopt(
            tx, {.row = orphan, .clerk_id = "", .deleted = false}, "user_o");
        EXPECT_TRUE(adopted && *adopted);
    });
    EXPECT_EQ(jobs(), "user_h PENDING 1, user_o PENDING 1");
}

TEST_F(DirectoryOutbox, ARowIsReadAsItIsNow) {
    EXPECT_EQ(mirrored().existence, Existence::unknown);
    tell({.version = 1000, .email = "a@example.com", .role = "admin"});
    const MirroredRow row = mirrored();
    EXPECT_EQ(row.existence, Existence::living);
    EXPECT_EQ(fmt::format("{}|{}|{}|{}", row.email, row.name, row.role, row.banned),
              "a@example.com|Ann|admin|false");
    EXPECT_EQ(row.auth_id, "");
    EXPECT_FALSE(row.written_hash);

    written();
    EXPECT_EQ(mirrored().written_hash, row.content_hash);
    EXPECT_EQ(mirrored().auth_id.size(), 36U);
    sql("UPDATE rollcall.ledger SET locked = true");
    EXPECT_TRUE(mirrored().banned);
    EXPECT_NE(mirrored().content_hash, row.content_hash);
    sql("UPDATE users SET email = NULL, name = NULL");
    EXPECT_EQ(mirrored().email + mirrored().name, "");

    sql("UPDATE users SET deleted_at = now()");
    EXPECT_EQ(mirrored().existence, Existence::deleted) << "by whomever";
    sql("UPDATE users SET deleted_at = NULL");
    EXPECT_EQ(mirrored().existence, Existence::living);
    tell({.version = 2000, .deletion = true});
    EXPECT_EQ(mirrored().existence, Existence::deleted);
    EXPECT_EQ(mirrored().auth_id.size(), 36U) << "the copy is still known";
}

TEST_F(DirectoryOutbox, ARowThatIsMissingIsDeletedOnlyByWhoKnowsIt) {
    tell({.version = 1000, .email = "a@example.com"});
    sql("DELETE FROM users");
    EXPECT_EQ(mirrored().existence, Existence::unknown) << "by hand";
    tell({.version = 2000, .deletion = true});
    EXPECT_EQ(mirrored().existence, Existence::deleted) << "and by Clerk";
    tell({.clerk_id = "user_n", .version = 2000, .deletion = true});
    EXPECT_EQ(mirrored("user_n").existence, Existence::deleted) << "before any row";
}

TEST_F(DirectoryOutbox, WhatIsArmedAgainIsWrittenWhateverIsKnown) {
    tell({.version = 1000, .email = "a@example.com"});
    written();
    const std::vector<std::string> both{"user_b", "user_a", "user_a"};
    EXPECT_EQ(run(directory->outbox().arm(pool, both)), 1) << "one waited already";
    EXPECT_EQ(jobs(), "user_a PENDING 1, user_b PENDING 1");
    EXPECT_FALSE(mirrored().written_hash);
}

TEST_F(DirectoryOutbox, AJobThatWasLostIsRunOnceMoreUnlessAPersonOrItsFaultEndedIt) {
    const auto& outbox = directory->outbox();
    tell({.version = 1000});
    written();
    run(outbox.arm_lost(pool, "user_a"));
    EXPECT_EQ(jobs(), "user_a PENDING 1");
    EXPECT_FALSE(mirrored().written_hash);
    set_job("status = 'PROCESSING'");
    run(outbox.arm_lost(pool, "user_a"));
    EXPECT_EQ(jobs(), "user_a PROCESSING 2") << "another has it";
    for (const char* state : {"FAILED", "CANCELLED"}) {
        set_job(fmt::format("status = '{}'", state));
        run(outbox.arm_lost(pool, "user_a"));
        EXPECT_EQ(jobs(), fmt::format("user_a {} 2", state));
    }
    set_job("status = 'COMPLETED', event_id = NULL");
    run(outbox.arm_lost(pool, "user_a"));
    EXPECT_EQ(sql("SELECT string_agg(status, ' ' ORDER BY status) FROM job_queue "
                  "WHERE job_type = 'MIRROR_USER'"),
              "COMPLETED PENDING")
        << "another had it";
}

TEST_F(DirectoryOutboxOff, NothingIsWritten) {
    tell({.version = 1000, .email = "a@example.com"});
    read({.version = 2000, .email = "b@example.com"});
    const auto arm = [&]() -> Task<> {
        pg::Transaction tx = co_await directory->begin(pool);
        co_await directory->outbox().arm(tx, "user_a");
        co_await tx.commit();
    };
    run(arm());
    EXPECT_EQ(jobs(), "");
}

TEST_F(DirectoryOutboxOff, WhatAnotherProcessWantsIsWrittenFromThenOnUntilNobodyWantsIt) {
    tell({.version = 1000});
    run(Outbox::want(pool));
    EXPECT_EQ(jobs(), "");
    tell({.version = 2000});
    EXPECT_EQ(jobs(), "user_a PENDING 1") << "opened before it was wanted";
    const auto stamp = [&] { return sql("SELECT xmin FROM rollcall.mirror_state"); };
    const auto before = stamp();
    run(Outbox::want(pool));
    EXPECT_EQ(stamp(), before) << "repeated soon it costs no write";
    sql("UPDATE rollcall.mirror_state SET wanted_until = now() - interval '1 second'");
    tell({.clerk_id = "user_b", .version = 3000});
    EXPECT_EQ(jobs(), "user_a PENDING 1");
}

TEST_F(DirectoryOutboxOff, ADatabaseThatIsNotMigratedSaysSo) {
    sql("DROP TABLE rollcall.mirror_state");
    const auto opened = run(Directory::open(pool, config));
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::not_found);
}

TEST_F(DirectoryOutbox, EveryStatementCanBePrepared) {
    for (const auto& [name, text] : directory->statements()) {
        if (text.empty()) continue;
        EXPECT_NO_THROW(sql("PREPARE s AS " + text)) << name;
    }
}

}  // namespace
}  // namespace rollcall::directory
