// What Supabase Auth refuses for good: a dead letter that says why, and all else written.
#include "mirror_fixture.hpp"

#include "base/log.hpp"

namespace rollcall::mirror {
namespace {

using supabase::AuthFault;
using supabase::FakeAuth;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string ann = auth_id_of("user_a");

class MirrorRefusalTest : public MirrorTest {
protected:
    void retry() const {
        sql("UPDATE public.job_queue SET status = 'PENDING' WHERE status = 'FAILED'");
    }
    // Why the mirror's job of that user is tried again.
    [[nodiscard]] std::string put_off() const {
        return sql(
            "SELECT error FROM public.job_queue WHERE job_type = 'MIRROR_USER' AND "
            "subject = 'user_a' AND status = 'PENDING'");
    }
};

// Whoever may enter any address could otherwise keep a ban away.
TEST_F(MirrorRefusalTest, ABanReachesACopyWhoseNewAddressIsRefused) {
    is_mirrored({.email = "ann@example.com", .role = "admin"});
    for (const AuthFault fault : {AuthFault::invalid, AuthFault::constrained}) {
        auth.has(ann, "ann@example.com", "user_a").role = "admin";
        tell({.version = fault == AuthFault::invalid ? 2000 : 3000,
              .email = "no address for Auth",
              .name = "Anna",
              .banned = true});
        auth.next["update"] = {FakeAuth::error(fault)};
        EXPECT_THAT(work(), ElementsAre("user_a failed")) << to_string(fault);
        EXPECT_EQ(auth.user(ann), "ann@example.com|Anna|user|banned");
        EXPECT_THAT(reason(), AllOf(HasSubstr("Clerk user user_a"), HasSubstr(to_string(fault)),
                                    HasSubstr("all but the address is written")));
        EXPECT_EQ(copy("content_hash IS NULL"), "t");
    }
    tell({.version = 4000, .email = "ann@example.org"});
    EXPECT_THAT(work(), ElementsAre("user_a updated"));
    EXPECT_EQ(auth.user(ann), "ann@example.org|Ann|user");
}

// The database of an Auth that hides why it fails, as behind a trigger of the application's.
TEST_F(MirrorRefusalTest, ABanReachesACopyWhoseNewAddressFailsWithoutACause) {
    is_mirrored({.email = "ann@example.com"});
    tell({.version = 2000, .email = "ann@example.org", .banned = true});
    auth.next["update"].assign(3, FakeAuth::error(AuthFault::opaque));
    EXPECT_THAT(work(), ElementsAre("user_a again")) << "one more write worked: Auth can write";
    EXPECT_EQ(auth.user(ann), "ann@example.com|Ann|user|banned");
    EXPECT_THAT(put_off(), HasSubstr("all but the address"));
}

TEST_F(MirrorRefusalTest, ABanReachesACopyWhoseNumberIsAnothers) {
    clerk.has("user_a", 1000);
    clerk.users["user_a"].phone = "+15550100";
    tell({.email = std::nullopt});
    EXPECT_THAT(work(), ElementsAre("user_a created"));
    for (const AuthFault fault : {AuthFault::phone_taken, AuthFault::taken}) {
        const bool first = fault == AuthFault::phone_taken;
        tell({.version = first ? 2000 : 3000, .email = std::nullopt, .banned = first});
        auth.next["update"] = {FakeAuth::error(fault)};
        EXPECT_THAT(work(), ElementsAre("user_a failed")) << to_string(fault);
        EXPECT_EQ(auth.users[ann].banned, first);
        EXPECT_THAT(reason(), HasSubstr("all but the phone number"));
    }
}

// The commonest: another table refers to auth.users without ON DELETE CASCADE.
TEST_F(MirrorRefusalTest, ARemovalThatAuthsDatabaseForbidsIsADeadLetterAndLeavesNobody) {
    const log::Capture log;
    is_mirrored({.email = "ann@example.com", .role = "admin"});
    tell({.version = 2000, .deletion = true});
    auth.next["remove"] = {FakeAuth::error(AuthFault::constrained)};
    EXPECT_THAT(work(), ElementsAre("user_a failed"));
    EXPECT_EQ(auth.user(ann), ann + "@rollcall.invalid|||banned");
    EXPECT_THAT(reason(), AllOf(HasSubstr("Clerk user user_a"), HasSubstr(ann),
                                HasSubstr("banned by now"), HasSubstr("ON DELETE CASCADE"),
                                HasSubstr("storage objects"), Not(HasSubstr("@"))));
    EXPECT_THAT(std::string(log.text()), HasSubstr("mirror_conflict"));
    // Once nothing refers to it any more.
    retry();
    EXPECT_THAT(work(), ElementsAre("user_a removed"));
    EXPECT_THAT(auth.users, IsEmpty());
}

// An Auth that is asked in its later form, or that hides the cause: its word for a removal that its
// database forbids is its word for one that takes no write at all.
TEST_F(MirrorRefusalTest, ARemovalThatFailsWhileAWriteWorksBurnsAttempts) {
    is_mirrored({.email = "ann@example.com"});
    tell({.version = 2000, .deletion = true});
    auth.next["remove"] = {FakeAuth::error(AuthFault::opaque)};
    EXPECT_THAT(work(), ElementsAre("user_a again"));
    EXPECT_EQ(auth.user(ann), ann + "@rollcall.invalid||" + "|banned");
    EXPECT_THAT(put_off(), AllOf(HasSubstr("not removed"), HasSubstr("ON DELETE CASCADE")));
    // Nothing can be written: an outage.
    pass_time();
    auth.next["remove"] = {FakeAuth::error(AuthFault::opaque)};
    auth.next["update"] = {FakeAuth::error(AuthFault::opaque)};
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    pass_time();
    auth.next["remove"] = {FakeAuth::error(AuthFault::away)};
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    EXPECT_EQ(std::ranges::count(auth.calls, "update " + ann), 2) << "nor is any more tried";
    pass_time();
    EXPECT_THAT(work(), ElementsAre("user_a removed"));
}

// As somebody did in Supabase's pages: what is written there reaches nobody.
TEST_F(MirrorRefusalTest, ACopyThatIsSoftDeletedThereIsADeadLetter) {
    is_mirrored({.email = "ann@example.com"});
    auth.users[ann].soft_deleted = true;
    tell({.version = 2000, .email = "ann@example.org"});
    EXPECT_THAT(work(), ElementsAre("user_a failed"));
    EXPECT_THAT(reason(), AllOf(HasSubstr("user_a"), HasSubstr(ann), HasSubstr("soft-deleted")));
    EXPECT_EQ(copy("content_hash IS NULL"), "t");
    auth.users.clear();
    retry();
    EXPECT_THAT(work(), ElementsAre("user_a created"));
}

// The lease went between the note of an adoption and its first write, and then the user did.
TEST_F(MirrorRefusalTest, AnAdoptionThatWroteNothingIsForgottenWithTheUser) {
    const std::string id = "11111111-1111-4111-8111-111111111111";
    auth.has(id, "ann@example.com");
    clerk.has("user_a", 1000, "ann@example.com");
    tell({.email = "ann@example.com"});
    auth.next["update"] = {FakeAuth::error(AuthFault::rate_limited)};
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    EXPECT_EQ(copy("auth_id, adopted, mirrored_at"), id + "|t|-infinity");
    tell({.version = 2000, .deletion = true});
    pass_time();
    EXPECT_THAT(work(), ElementsAre("user_a unchanged"));
    EXPECT_EQ(auth.users.size(), 1U) << "it never was theirs";
    EXPECT_EQ(copy("auth_id"), "");
}

// Its answer was lost: it may be carried out yet, and then the Auth user is to be removed.
TEST_F(MirrorRefusalTest, AnAdoptionThatMayStillBeWrittenIsNotForgotten) {
    const std::string id = "11111111-1111-4111-8111-111111111111";
    auth.has(id, "ann@example.com");
    clerk.has("user_a", 1000, "ann@example.com");
    tell({.email = "ann@example.com"});
    auth.hangs = "update";
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    tell({.version = 2000, .deletion = true});
    put_off_no_more();
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    EXPECT_EQ(copy("auth_id"), id);
    auth.catch_up();
    pass_time();
    EXPECT_THAT(work(), ElementsAre("user_a removed"));
    EXPECT_THAT(auth.users, IsEmpty());
}

}  // namespace
}  // namespace rollcall::mirror
