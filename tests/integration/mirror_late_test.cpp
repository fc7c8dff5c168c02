// Writes that nobody waits for any more, and that Supabase Auth carries out all the same, after
// what came later.
#include "mirror_fixture.hpp"

namespace rollcall::mirror {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string ann = auth_id_of("user_a");
const std::string ben = auth_id_of("user_b");

class MirrorLateTest : public MirrorTest {
protected:
    // Whether a write may still come.
    std::string unsure(std::string_view clerk_id = "user_a") const {
        return copy("coalesce(unsure_until > now(), false)", clerk_id);
    }
    // What hung comes, in the middle of the time that it may take; then that time is over.
    void comes_late() {
        auth.catch_up();
        pass_time();
    }
};

TEST_F(MirrorLateTest, WhoIsDeletedWhileTheirCreationHangsIsGoneInTheEnd) {
    tell({.email = "ann@example.com"});
    auth.hangs = "create";
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    tell({.version = 2000, .deletion = true});
    EXPECT_THAT(work(), ElementsAre("user_a later")) << "there is nobody yet";
    comes_late();
    EXPECT_EQ(auth.users.size(), 1U);
    EXPECT_THAT(work(), ElementsAre("user_a removed"));
    EXPECT_THAT(auth.users, IsEmpty());
    EXPECT_EQ(copy("clerk_id"), "");
}

TEST_F(MirrorLateTest, AnOlderUpdateThatComesLastDoesNotStand) {
    is_mirrored({.email = "ann@example.com"});
    for (const bool banned : {true, false}) {
        const int at = banned ? 10'000 : 20'000;
        tell({.version = at, .email = "ann@example.com", .name = "old", .banned = !banned});
        auth.hangs = "update";
        work();
        tell({.version = at + 1000, .email = "ann@example.com", .banned = banned});
        EXPECT_THAT(work(), ElementsAre("user_a later"));
        EXPECT_EQ(auth.users[ann].banned, banned) << "what is new is not put off for that";
        comes_late();
        EXPECT_EQ(auth.users[ann].banned, !banned);
        EXPECT_THAT(work(), ElementsAre("user_a updated"));
        EXPECT_EQ(auth.users[ann].banned, banned);
    }
    EXPECT_EQ(copy("content_hash IS NULL"), "f");
}

TEST_F(MirrorLateTest, WhoComesBackWhileTheirRemovalHangsIsThereInTheEnd) {
    is_mirrored({.email = "ann@example.com"});
    tell({.version = 2000, .deletion = true});
    auth.hangs = "remove";
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    read({.version = 3000, .email = "ann@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    comes_late();
    EXPECT_THAT(auth.users, IsEmpty());
    EXPECT_THAT(work(), ElementsAre("user_a created"));
    EXPECT_EQ(auth.user(ann), "ann@example.com|Ann|user");
}

TEST_F(MirrorLateTest, AnAddressThatIsMovedLateIsGivenBack) {
    is_mirrored({.clerk_id = "user_b", .email = "ann@example.com"});
    tell({.clerk_id = "user_b", .version = 2000, .email = "ben@example.com"});
    const auto bens = claim();
    tell({.email = "ann@example.com"});
    auth.hangs = "set_email";
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    ASSERT_TRUE(bens);
    record(*bens, run(mirror->handle(*bens)));
    EXPECT_EQ(auth.user(ben), "ben@example.com|Ann|user");
    EXPECT_THAT(work(), ElementsAre("user_b later"));
    comes_late();
    EXPECT_EQ(auth.users[ben].email, ben + "@rollcall.invalid");
    work();
    EXPECT_EQ(auth.user(ben), "ben@example.com|Ann|user");
    EXPECT_EQ(auth.user(ann), "ann@example.com|Ann|user");
    EXPECT_EQ(unsure("user_b"), "f");
}

TEST_F(MirrorLateTest, NobodyIsSkippedWhoMayYetBeThere) {
    clerk.has("user_a", 1000);
    tell({.email = "ann@example.com"});
    auth.hangs = "create";
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    tell({.version = 2000, .email = std::nullopt});
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    EXPECT_EQ(copy("skipped"), "");
    comes_late();
    EXPECT_THAT(work(), ElementsAre("user_a updated"));
    EXPECT_EQ(auth.user(ann), ann + "@rollcall.invalid|Ann|user");
}

// As when the process died with the request under way.
TEST_F(MirrorLateTest, AWriteThatWasBegunByADeadWorkerMayComeToo) {
    is_mirrored({.email = "ann@example.com"});
    tell({.version = 2000, .email = "ann@example.com", .banned = true});
    const auto job = claim();
    ASSERT_TRUE(job);
    auth.hook = [](const std::string& /*operation*/) { throw Unavailable("the process died"); };
    EXPECT_THROW(run(mirror->handle(*job)), Unavailable);
    auth.hook = nullptr;
    record(*job, jobs::Retry{.reason = "lapsed", .delay = {}, .burns_attempt = false});
    put_off_no_more();
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    EXPECT_TRUE(auth.users[ann].banned);
    auth.users[ann].banned = false;
    pass_time();
    EXPECT_THAT(work(), ElementsAre("user_a updated"));
    EXPECT_TRUE(auth.users[ann].banned);
}

// What was refused, and what failed whole, does not come any more.
TEST_F(MirrorLateTest, AnEndThatWasHeardLeavesNoDoubt) {
    using supabase::AuthFault;
    tell({.email = "ann@example.com"});
    for (const AuthFault fault : {AuthFault::rate_limited, AuthFault::opaque}) {
        auth.next["create"] = {supabase::FakeAuth::error(fault)};
        work();
        EXPECT_EQ(unsure(), "f") << to_string(fault);
        put_off_no_more();
    }
    EXPECT_THAT(work(), ElementsAre("user_a created"));
    EXPECT_EQ(unsure(), "f");
}

}  // namespace
}  // namespace rollcall::mirror
