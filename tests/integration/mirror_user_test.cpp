// Each way of a user's copy, against a Supabase Auth in memory and a real queue.
#include "mirror_fixture.hpp"

namespace rollcall::mirror {
namespace {

using supabase::AuthFault;
using supabase::FakeAuth;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const std::string ann = auth_id_of("user_a");
const std::string ben = auth_id_of("user_b");

class MirrorUserTest : public MirrorTest {};

TEST_F(MirrorUserTest, CreatesUpdatesBansAndRemoves) {
    tell({.email = "ann@example.com", .name = "Ann Lee", .role = "admin"});
    EXPECT_THAT(work(), ElementsAre("user_a created"));
    EXPECT_EQ(auth.user(ann), "ann@example.com|Ann Lee|admin");
    EXPECT_EQ(auth.users[ann].clerk_id, "user_a");
    EXPECT_EQ(copy("auth_id, adopted, content_hash IS NULL"), ann + "|f|f");

    tell({.version = 2000, .email = "ann@example.org", .name = std::nullopt, .banned = true});
    EXPECT_THAT(work(), ElementsAre("user_a updated"));
    EXPECT_EQ(auth.user(ann), "ann@example.org||user|banned");
    tell({.version = 3000, .email = "ann@example.org"});
    EXPECT_THAT(work(), ElementsAre("user_a updated"));
    EXPECT_EQ(auth.user(ann), "ann@example.org|Ann|user") << "the ban is lifted";

    tell({.version = 4000, .deletion = true});
    EXPECT_THAT(work(), ElementsAre("user_a removed"));
    EXPECT_THAT(auth.users, IsEmpty());
    EXPECT_EQ(copy("auth_id"), "");
}

TEST_F(MirrorUserTest, WhatDoesNotShowThereIsNotSent) {
    is_mirrored({.email = "ann@example.com"});
    const std::size_t before = auth.calls.size();
    tell({.version = 2000, .email = "ann@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_a unchanged"));
    EXPECT_EQ(auth.calls.size(), before);
    EXPECT_THAT(metrics.render(), HasSubstr("rollcall_mirror_users_total{action=\"unchanged\"} 1"));
}

TEST_F(MirrorUserTest, ManyChangesAreOneJobOfTheRowAsItIs) {
    for (int i = 1; i <= 5; ++i) {
        tell({.version = 1000 * i, .email = fmt::format("ann{}@example.com", i)});
    }
    EXPECT_THAT(work(), ElementsAre("user_a created"));
    EXPECT_EQ(auth.user(ann), "ann5@example.com|Ann|user");
}

TEST_F(MirrorUserTest, ARemovalThatWasDoneIsDone) {
    is_mirrored({.email = "ann@example.com"});
    auth.users.clear();
    tell({.version = 2000, .deletion = true});
    EXPECT_THAT(work(), ElementsAre("user_a unchanged"));
    EXPECT_EQ(copy("auth_id"), "");
}

TEST_F(MirrorUserTest, NobodyElsesUserIsRemoved) {
    is_mirrored({.email = "ann@example.com"});
    auth.users[ann].clerk_id = "user_z";
    tell({.version = 2000, .deletion = true});
    EXPECT_THAT(work(), ElementsAre("user_a unchanged"));
    EXPECT_EQ(auth.users.size(), 1U);
    EXPECT_EQ(copy("auth_id"), "");
}

// The person is to be gone: what is left of them must be seen.
TEST_F(MirrorUserTest, AnAdoptedUserWhoLostTheirClerkIdIsADeadLetterWhenDeleted) {
    const std::string id = "11111111-1111-4111-8111-111111111111";
    auth.has(id, "ann@example.com");
    clerk.has("user_a", 1000, "ann@example.com");
    tell({.email = "ann@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_a adopted"));
    auth.users[id].clerk_id = "";
    tell({.version = 2000, .deletion = true});
    EXPECT_THAT(work(), ElementsAre("user_a failed"));
    EXPECT_THAT(reason(), AllOf(HasSubstr("Clerk user user_a"), HasSubstr(id)));
    EXPECT_EQ(auth.users.size(), 1U);
    auth.users[id].clerk_id = "user_a";
    sql("UPDATE public.job_queue SET status = 'PENDING' WHERE job_type = 'MIRROR_USER'");
    EXPECT_THAT(work(), Contains("user_a removed"));
}

// Emptied or restored by hand, a row deleted beside rollcall: only Clerk's word deletes an Auth
// user.
TEST_F(MirrorUserTest, ARowThatIsMissingWithoutAWordOfClerksRemovesNobody) {
    is_mirrored({.email = "ann@example.com"});
    const std::string gone = sql("DELETE FROM users RETURNING clerk_id");
    const std::size_t before = auth.calls.size();
    run(directory->outbox().arm(pool, std::span(&gone, 1)));
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    EXPECT_EQ(auth.calls.size(), before);
    EXPECT_EQ(auth.user(ann), "ann@example.com|Ann|user");
    EXPECT_THAT(sql("SELECT error FROM public.job_queue WHERE job_type = 'MIRROR_USER' AND "
                    "status = 'PENDING'"),
                HasSubstr("Clerk user user_a"));
    EXPECT_EQ(copy("auth_id"), ann) << "the copy is still known";
    tell({.version = 2000, .deletion = true});
    pass_time();
    EXPECT_THAT(work(), ElementsAre("user_a removed"));
    EXPECT_THAT(auth.users, IsEmpty());
}

TEST_F(MirrorUserTest, WhoWasRemovedThereIsMadeAgain) {
    is_mirrored({.email = "ann@example.com"});
    auth.users.clear();
    tell({.version = 2000, .email = "ann@example.org"});
    EXPECT_THAT(work(), ElementsAre("user_a created"));
    EXPECT_EQ(auth.user(ann), "ann@example.org|Ann|user");
}

TEST_F(MirrorUserTest, AnAnswerThatWasLostIsFoundAgain) {
    tell({.email = "ann@example.com"});
    auth.loses = "create";
    EXPECT_THAT(work(), ElementsAre("user_a created"));
    EXPECT_THAT(auth.calls, ElementsAre("create " + ann, "get " + ann, "update " + ann));
    // A worker that died right after the creation: nothing is known of it.
    sql("TRUNCATE rollcall.mirror_users");
    auth.calls.clear();
    tell({.version = 2000, .email = "ann@example.org"});
    auth.users[ann].email = "ann@example.org";
    EXPECT_THAT(work(), ElementsAre("user_a created"));
    EXPECT_THAT(auth.calls, ElementsAre("create " + ann, "get " + ann, "update " + ann));
    EXPECT_EQ(auth.users.size(), 1U);
}

// What the row says is then what was last known to be written, and is not what
// is there.
TEST_F(MirrorUserTest, AChangeThatIsTakenBackAfterItsAnswerWasLostIsTakenBackThereToo) {
    is_mirrored({.email = "ann@example.com"});
    int version = 1000;
    for (const bool banned : {true, false}) {
        tell({.version = version += 1000, .email = "ann@example.com", .banned = !banned});
        work();
        tell({.version = version += 1000, .email = "ann@example.com", .banned = banned});
        auth.loses = "update";
        EXPECT_THAT(work(), ElementsAre("user_a later"));
        EXPECT_EQ(auth.users[ann].banned, banned) << "it was written";
        tell({.version = version += 1000, .email = "ann@example.com", .banned = !banned});
        pass_time();
        EXPECT_THAT(work(), ElementsAre("user_a updated"));
        EXPECT_EQ(auth.users[ann].banned, !banned);
    }
}

TEST_F(MirrorUserTest, ARemovalThatIsTakenBackAfterItsAnswerWasLostIsTakenBackThereToo) {
    is_mirrored({.email = "ann@example.com"});
    tell({.version = 2000, .deletion = true});
    auth.hook = [this](const std::string& operation) {
        if (operation == "remove") auth.users.clear();
    };
    auth.next["remove"] = {FakeAuth::error(AuthFault::away)};
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    read({.version = 3000, .email = "ann@example.com"});
    pass_time();
    EXPECT_THAT(work(), ElementsAre("user_a created"));
    EXPECT_EQ(auth.user(ann), "ann@example.com|Ann|user");
}

TEST_F(MirrorUserTest, AnOutageBurnsNothingAndAsksNoMore) {
    tell({.email = "ann@example.com"});
    auth.next["create"] = {FakeAuth::error(AuthFault::away)};
    auth.next["get"] = {FakeAuth::error(AuthFault::away)};
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    for (const AuthFault fault : {AuthFault::rate_limited, AuthFault::key_refused}) {
        pass_time();
        auth.calls.clear();
        auth.next["create"] = {FakeAuth::error(fault)};
        EXPECT_THAT(work(), ElementsAre("user_a later"));
        EXPECT_THAT(auth.calls, ElementsAre("create " + ann)) << to_string(fault);
    }
    pass_time();
    EXPECT_THAT(work(), ElementsAre("user_a created"));
    EXPECT_EQ(sql("SELECT attempts FROM public.job_queue WHERE job_type = 'MIRROR_USER'"), "1");
}

// As before a database that takes no write: nobody's write works, and nobody is to blame.
TEST_F(MirrorUserTest, AnAuthThatCanWriteNothingBurnsNothing) {
    is_mirrored({.clerk_id = "user_b", .email = "ben@example.com"});
    tell({.email = "ann@example.com"});
    tell({.clerk_id = "user_b", .version = 2000, .email = "ben@example.org"});
    const auto opaque = FakeAuth::error(AuthFault::opaque);
    for (int i = 0; i < 4; ++i) {
        auth.next["create"].assign(1, opaque);
        auth.next["update"].assign(4, opaque);
        EXPECT_THAT(work(), UnorderedElementsAre("user_a later", "user_b later"));
        pass_time();
    }
    // Now writes work, but for this user.
    auth.next["create"].assign(1, opaque);
    EXPECT_THAT(work(), Contains("user_b updated"));
    tell({.clerk_id = "user_b", .version = 3000, .email = "ben@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_b updated"));
    auth.next["create"].assign(1, opaque);
    pass_time();
    EXPECT_THAT(work(), ElementsAre("user_a again"));
}

TEST_F(MirrorUserTest, WhatWillNotChangeIsADeadLetterAtOnce) {
    tell({.email = "ann@example.com"});
    auth.next["create"] = {FakeAuth::error(AuthFault::invalid)};
    EXPECT_THAT(work(), ElementsAre("user_a failed"));
    EXPECT_EQ(reason(), "Auth said invalid");
    // The next change is a new chance.
    tell({.version = 2000, .email = "ann@example.org"});
    EXPECT_THAT(work(), ElementsAre("user_a created"));
}

TEST_F(MirrorUserTest, ASoftDeletedUserKeepsTheIdUntilAPersonHelps) {
    tell({.email = "ann@example.com"});
    auth.has(ann, "").soft_deleted = true;
    EXPECT_THAT(work(), ElementsAre("user_a failed"));
    EXPECT_THAT(reason(), AllOf(HasSubstr("user_a"), HasSubstr(ann), HasSubstr("soft-deleted")));
}

TEST_F(MirrorUserTest, ARowThatLostItsAddressLeavesNoneBehind) {
    is_mirrored({.email = "ann@example.com"});
    tell({.version = 2000, .email = std::nullopt});
    EXPECT_THAT(work(), ElementsAre("user_a updated"));
    EXPECT_EQ(auth.user(ann), ann + "@rollcall.invalid|Ann|user");
    tell({.version = 3000, .email = "ann@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_a updated"));
    EXPECT_EQ(auth.user(ann), "ann@example.com|Ann|user");
}

TEST_F(MirrorUserTest, AUserWithAPhoneNumberOnlyIsMirroredByIt) {
    clerk.has("user_a", 1000);
    clerk.users["user_a"].phone = "+15550100";
    tell({.email = std::nullopt});
    EXPECT_THAT(work(), ElementsAre("user_a created"));
    EXPECT_EQ(auth.user(ann), "15550100|Ann|user");
    tell({.version = 2000, .email = std::nullopt, .name = "Ann Lee"});
    EXPECT_THAT(work(), ElementsAre("user_a updated"));
    EXPECT_EQ(auth.user(ann), "15550100|Ann Lee|user") << "and gets no address";

    clerk.has("user_b", 1000);
    clerk.users["user_b"].phone = "+15550100";
    tell({.clerk_id = "user_b", .email = std::nullopt});
    EXPECT_THAT(work(), ElementsAre("user_b failed"));
    EXPECT_THAT(reason("user_b"), HasSubstr("phone number"));
}

TEST_F(MirrorUserTest, ALostAnswerOfAUserWithAPhoneNumberIsFoundAgainToo) {
    clerk.has("user_a", 1000);
    clerk.users["user_a"].phone = "+15550100";
    tell({.email = std::nullopt});
    auth.loses = "create";
    auth.next["get"] = {FakeAuth::error(AuthFault::away)};
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    pass_time();
    EXPECT_THAT(work(), ElementsAre("user_a created"));
    EXPECT_EQ(auth.users.size(), 1U);
}

TEST_F(MirrorUserTest, WithoutAddressAndNumberAUserIsSkippedAndSeen) {
    clerk.has("user_a", 1000);
    tell({.email = std::nullopt});
    EXPECT_THAT(work(), ElementsAre("user_a skipped"));
    EXPECT_THAT(auth.calls, ElementsAre("get " + ann));
    EXPECT_EQ(copy("skipped"), "no_email_or_phone");
    EXPECT_EQ(run(copies.counts()).skipped, 1);
    EXPECT_THAT(sql("SELECT result FROM public.job_queue WHERE job_type = 'MIRROR_USER'"),
                HasSubstr("no_email_or_phone"));
    tell({.version = 2000, .email = "ann@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_a created"));
    EXPECT_EQ(copy("skipped IS NULL"), "t");
}

TEST_F(MirrorUserTest, AWorkerThatWasPausedWritesNothing) {
    tell({.email = "ann@example.com"});
    const auto job = claim();
    ASSERT_TRUE(job);
    holds = false;
    EXPECT_EQ(said(run(mirror->handle(*job))), "later");
    EXPECT_THAT(auth.calls, IsEmpty());
}

TEST_F(MirrorUserTest, AWorkerThatLostItsJobWritesNothing) {
    tell({.email = "ann@example.com"});
    const auto job = claim();
    ASSERT_TRUE(job);
    sql("UPDATE public.job_queue SET fence = fence + 1 WHERE job_type = 'MIRROR_USER'");
    EXPECT_EQ(said(run(mirror->handle(*job))), "later");
    EXPECT_THAT(auth.calls, IsEmpty()) << "the database is asked before the first write";
    EXPECT_EQ(copy("auth_id"), "");
}

TEST_F(MirrorUserTest, AChangeThatComesWhileTheOldOneIsWrittenIsWrittenToo) {
    tell({.email = "ann@example.com"});
    const auto job = claim();
    ASSERT_TRUE(job);
    auth.hook = [this](const std::string& operation) {
        if (operation != "create") return;
        auth.hook = nullptr;
        enqueue({.version = 2000, .email = "ann@example.org"});
    };
    const auto end = run(mirror->handle(*job));
    drain();
    record(*job, end);
    EXPECT_THAT(work(), ElementsAre("user_a updated"));
    EXPECT_EQ(auth.user(ann), "ann@example.org|Ann|user");
}

TEST_F(MirrorUserTest, ACopyThatWasTouchedMeanwhileIsWrittenAgain) {
    is_mirrored({.email = "ann@example.com"});
    tell({.version = 2000, .email = "ann@example.org"});
    const auto job = claim();
    ASSERT_TRUE(job);
    // Another user's handler moves the address away and arms this one, between write and note.
    const std::string who = "user_a";
    EXPECT_EQ(run(directory->outbox().arm(pool, std::span(&who, 1))), 1);
    const auto end = run(mirror->handle(*job));
    auth.users[ann].email = "moved@rollcall.invalid";
    record(*job, end);
    EXPECT_THAT(work(), ElementsAre("user_a updated"));
    EXPECT_EQ(auth.user(ann), "ann@example.org|Ann|user");
}

}  // namespace
}  // namespace rollcall::mirror
