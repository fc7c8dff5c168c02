// How a comparison of Supabase Auth with the rows goes: whom it does not judge, what it does not
// believe, what ends it, and when it is due.
#include "mirror_compare_fixture.hpp"

#include "mirror/comparing.hpp"
#include "mirror/sql.hpp"

namespace rollcall::mirror {
namespace {

using supabase::AuthFault;
using supabase::FakeAuth;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Between a look at Auth and the rows that are read after it a job may begin and end.
TEST_F(MirrorCompare, WhoseJobEndsBetweenALookAndTheRowsIsNotJudged) {
    const std::string ann = is_mirrored({.email = "ann@example.com"});
    is_mirrored({.clerk_id = "user_b", .email = "ben@example.com"});
    const auto once = [this](std::string operation, directory::Told told) {
        auth.after = [this, operation, told](const std::string& call) {
            if (call != operation) return;
            auth.after = nullptr;
            tell(told);
            EXPECT_EQ(work().size(), 1U);
        };
    };
    once("page", {.version = 2000, .email = "new@example.com"});
    EXPECT_EQ(repair(), "0 0 0");
    EXPECT_EQ(summary->waiting.different, 1);
    EXPECT_THAT(work(), IsEmpty());
    auth.users[ann].full_name = "Somebody";
    once("get", {.version = 3000, .email = "newer@example.com"});
    EXPECT_EQ(repair(), "0 0 0");
    EXPECT_THAT(work(), IsEmpty()) << "written, whatever was seen";
    EXPECT_THAT(differences(), IsEmpty());

    // Seen once more after the rows were read: a copy that is gone by then was no finding.
    tell({.clerk_id = "user_b", .version = 2000, .deletion = true});
    forget_jobs();
    auth.after = [this](const std::string& call) {
        if (call != "get") return;
        auth.after = nullptr;
        auth.users.erase(auth_id_of("user_b"));
    };
    EXPECT_EQ(repair(), "0 0 0");
    EXPECT_EQ(summary->found.extra, 0);
}

TEST_F(MirrorCompare, APageThatLeavesSomebodyOutIsNoReasonToMissThem) {
    people(7);
    EXPECT_EQ(work().size(), 7U);
    auth.left_out = {auth_id_of("user_3")};
    EXPECT_THAT(differences(), IsEmpty()) << "walked once more";
    // The first of all goes once they were seen: who comes next moves to a page that was read.
    const std::string first = "00000000-0000-4000-8000-000000000000";
    auth.hook = [&, pages = 0](const std::string& operation) mutable {
        if (operation != "page") return;
        if (++pages == 1) auth.has(first, "first@example.com");
        if (pages == 2) auth.users.erase(first);
    };
    auth.calls.clear();
    EXPECT_THAT(differences(), IsEmpty());
    EXPECT_THAT(auth.calls, ElementsAre("page 1", "page 2", "page 3", testing::StartsWith("get ")))
        << "as many as there should be, but one is asked for by id";
}

TEST_F(MirrorCompare, BeyondItsBoundNobodyIsAskedForOneByOne) {
    make_compare({.page_users = 3, .table_users = 3, .second_looks_max = 2});
    people(5);
    EXPECT_EQ(work().size(), 5U);
    auth.users.clear();
    auth.calls.clear();
    EXPECT_EQ(repair(), "5 0 0");
    EXPECT_EQ(std::ranges::count_if(auth.calls, [](const auto& c) { return c.starts_with("get"); }),
              2);
}

TEST_F(MirrorCompare, AnIncompleteListConcludesNothing) {
    people(2);
    EXPECT_EQ(work().size(), 2U);
    tell({.clerk_id = "user_0", .version = 2000, .deletion = true});
    forget_jobs();
    auth.hook = [this](const std::string& operation) {
        if (operation == "page") auth.left_out = {auth_id_of("user_1")};
    };
    EXPECT_EQ(repair(), "internal");
    EXPECT_EQ(waiting(), "");
    EXPECT_EQ(state("compared_at IS NULL, failure"),
              "t|Supabase Auth's list is not whole: 1 of 2 users");
    auth.hook = nullptr;
    auth.counts = false;
    EXPECT_EQ(repair(), "internal");
    EXPECT_THAT(summary.error().message, HasSubstr("how many"));
    auth.counts = true;
    EXPECT_EQ(repair(), "0 0 1");
    EXPECT_EQ(state("compared_at IS NOT NULL, compared_by, failure IS NULL"), "t|pages|t");
    EXPECT_EQ(seen(), "0");
}

TEST_F(MirrorCompare, WhatTheDatabaseRefusesIsOnRecordAndHoldsUpNoOther) {
    people(1);
    EXPECT_EQ(work().size(), 1U);
    EXPECT_EQ(repair(), "0 0 0");
    sql("ALTER TABLE rollcall.mirror_seen ADD CONSTRAINT refuses CHECK (false)");
    EXPECT_EQ(repair(), "internal");
    EXPECT_THAT(summary.error().message, HasSubstr("SQLSTATE 23514, constraint refuses"));
    EXPECT_EQ(state("failed_at IS NOT NULL, failure"), "t|" + summary.error().message);
    make_compare();  // another process'
    EXPECT_THAT(differences(), ElementsAre(HasSubstr("23514"))) << "and not: another is under way";
    make_compare();
    sql("ALTER TABLE rollcall.mirror_seen DROP CONSTRAINT refuses");
    EXPECT_EQ(repair(), "0 0 0");
    EXPECT_EQ(state("failure IS NULL"), "t");
}

TEST_F(MirrorCompare, AnAuthThatIsAwayOrRefusesTheKeyIsNoEmptyAuth) {
    people(1);
    forget_jobs();
    auth.next["page"].push_back(FakeAuth::error(AuthFault::away));
    EXPECT_EQ(repair(), "unavailable");
    auth.next["page"].push_back(FakeAuth::error(AuthFault::key_refused));
    EXPECT_EQ(repair(), "bad_configuration");
    EXPECT_EQ(waiting(), "");
}

TEST_F(MirrorCompare, AnAuthUsersThatIsNotThisAuthsIsNotRead) {
    with_auth_users();
    people(2);
    EXPECT_EQ(work().size(), 2U);
    const auto by_sql = [this] {
        EXPECT_THAT(differences(), IsEmpty());
        return summary && summary->by_sql;
    };
    EXPECT_TRUE(by_sql());
    auth.hook = nullptr;
    sql("UPDATE auth.users SET email = 'other@example.com'");
    EXPECT_FALSE(by_sql()) << "the newest is another";
    sql("DELETE FROM auth.users");
    EXPECT_FALSE(by_sql()) << "a copy from before";
    copy_users();
    EXPECT_TRUE(by_sql());
    sql("UPDATE auth.users SET id = gen_random_uuid()");
    EXPECT_FALSE(by_sql()) << "another project's";
    sql("ALTER TABLE auth.users DROP COLUMN banned_until");
    EXPECT_FALSE(by_sql()) << "no auth.users that is known";
}

TEST_F(MirrorCompare, AnAuthUsersThatCannotBeReadWholeIsNotRead) {
    with_auth_users();
    const auto read_by_other = [this] {
        return sql("SET ROLE rollcall_reader; " + std::string(sql::auth_users_readable.text));
    };
    sql("DROP ROLE IF EXISTS rollcall_reader; CREATE ROLE rollcall_reader");
    EXPECT_EQ(read_by_other(), "f") << "no privilege";
    sql("GRANT USAGE ON SCHEMA auth TO rollcall_reader; "
        "GRANT SELECT ON auth.users TO rollcall_reader");
    EXPECT_EQ(read_by_other(), "t");
    sql("ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY");
    EXPECT_EQ(read_by_other(), "f") << "it would see some rows only, or none";
    sql("DROP TABLE auth.users; REVOKE USAGE ON SCHEMA auth FROM rollcall_reader; "
        "DROP ROLE rollcall_reader");
}

TEST_F(MirrorCompare, OneAtATimeAmongAllInstances) {
    sql("INSERT INTO rollcall.leases VALUES ('mirror', 'another', now() + interval '1 minute', 7)");
    EXPECT_EQ(repair(), "conflict");
    sql("UPDATE rollcall.leases SET until = now() - interval '1 second'");
    EXPECT_EQ(repair(), "0 0 0");
}

TEST_F(MirrorCompare, OneThatLostItsLeaseConcludesNothing) {
    people(1);
    forget_jobs();
    auth.hook = [this](const std::string& operation) {
        if (operation == "page") {
            sql("UPDATE rollcall.leases SET holder = 'another', fence = fence + 1");
        }
    };
    EXPECT_EQ(repair(), "unavailable");
    EXPECT_EQ(state("compared_at IS NULL, failure IS NULL"), "t|t") << "that is another's to say";
    auth.hook = nullptr;
    sql("UPDATE rollcall.leases SET until = now() - interval '1 second'");
    EXPECT_EQ(repair(), "0 0 0") << "its user is armed already";
    EXPECT_EQ(state("compared_at IS NOT NULL"), "t");
}

TEST_F(MirrorCompare, AnInterruptedOneBeginsAnew) {
    people(7);
    EXPECT_EQ(work().size(), 7U);
    auth.users.clear();
    auth.hook = [this](const std::string&) { compare->interrupt(); };
    EXPECT_EQ(repair(), "unavailable");
    auth.hook = nullptr;
    sql("INSERT INTO rollcall.mirror_seen SELECT 1, gen_random_uuid(), 'user_0', 1, 1, 'user', "
        "true, false, false");
    EXPECT_EQ(repair(), "7 0 0") << "what one that was killed has seen does not count";
}

TEST_F(MirrorCompare, OneIsDueAtFirstAfterEachCompletePassAndAfterAWhile) {
    const auto due = [this] { return run(compare->record().due(1h)); };
    EXPECT_TRUE(due());
    repair();
    EXPECT_FALSE(due());
    sql("UPDATE rollcall.sync_state SET full_completed_at = now()");
    EXPECT_TRUE(due());
    repair();
    EXPECT_FALSE(due());
    for (const char* at : {"- interval '61 minutes'", "+ interval '61 minutes'"}) {
        sql(std::string("UPDATE rollcall.mirror_state SET compared_at = now() ") + at);
        sql("UPDATE rollcall.sync_state SET full_completed_at = NULL");
        EXPECT_TRUE(due()) << at;
    }
}

TEST_F(MirrorCompare, TheLoopComparesWhenItIsDueAndNotWhileAuthIsAway) {
    people(3);
    forget_jobs();
    int compared = 0;
    Comparing comparing(io.get_executor(), *compare, auth, {.look_every = 10ms},
                        [&] { ++compared; });
    auth.next["page"].push_back(FakeAuth::error(AuthFault::away));
    run(comparing.run_due(10s));
    EXPECT_EQ(compared, 0);
    EXPECT_THAT(state("failure"), HasSubstr("away"));
    run(comparing.run_due(10s));
    EXPECT_EQ(compared, 0) << "not again at once";
    Comparing second(io.get_executor(), *compare, auth,
                     {.look_every = 10ms, .after_failure = {1ms, 1ms}}, [&] { ++compared; });
    auth.next["page"].push_back(FakeAuth::error(AuthFault::away));
    second.start();
    ASSERT_TRUE(test::wait_until(io, [&] { return compared == 1; }));
    EXPECT_EQ(waiting(), "user_0 user_1 user_2");
    EXPECT_TRUE(run(second.stop(10s)));
    Comparing at_start(io.get_executor(), *compare, auth, {.at_start = true}, [&] { ++compared; });
    run(at_start.run_due(10s));
    run(at_start.run_due(10s));
    EXPECT_EQ(compared, 2) << "once, though none was due";
}

}  // namespace
}  // namespace rollcall::mirror
