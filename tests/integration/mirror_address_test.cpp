// A user whose address somebody has there already: adopted, moved away, or told.
#include "mirror_fixture.hpp"

#include "base/log.hpp"

namespace rollcall::mirror {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string ann = auth_id_of("user_a");
const std::string ben = auth_id_of("user_b");

class MirrorAddressTest : public MirrorTest {
protected:
    // What the audit log says of the last one.
    [[nodiscard]] std::string adoption() const {
        return sql(
            "SELECT detail FROM rollcall.audit_log WHERE target = 'user_a' "
            "AND action = 'mirror.adopted' ORDER BY id DESC LIMIT 1");
    }
    // Somebody who signed up in Auth with an address that they never confirmed.
    supabase::AuthUser& squatter(const std::string& email) {
        supabase::AuthUser& user = auth.has(somebody, email);
        user.email_confirmed = false;
        return user;
    }

    const std::string somebody = "11111111-1111-4111-8111-111111111111";
};

TEST_F(MirrorAddressTest, AUserOfNobodysWithTheAddressIsAdopted) {
    auth.has("11111111-1111-4111-8111-111111111111", "ann@example.com").phone = "15550100";
    clerk.has("user_a", 1000, "Ann@Example.com");
    tell({.email = "Ann@Example.com"});
    EXPECT_THAT(work(), ElementsAre("user_a adopted"));
    const std::string id = "11111111-1111-4111-8111-111111111111";
    EXPECT_EQ(auth.users.size(), 1U);
    EXPECT_EQ(auth.users[id].clerk_id, "user_a");
    EXPECT_EQ(copy("auth_id, adopted"), id + "|t");
    EXPECT_EQ(adoption(), R"({"auth_id": ")" + id + R"("})");
    EXPECT_THAT(auth.passwords, IsEmpty()) << "Auth knows that the address is theirs";
    tell({.version = 2000, .email = "ann@example.org"});
    EXPECT_THAT(work(), ElementsAre("user_a updated"));
    EXPECT_EQ(auth.user(id), "ann@example.org|Ann|user");
    EXPECT_EQ(copy("adopted"), "t");
    tell({.version = 3000, .deletion = true});
    EXPECT_THAT(work(), ElementsAre("user_a removed"));
    EXPECT_THAT(auth.users, IsEmpty());
}

TEST_F(MirrorAddressTest, AnAddressThatNobodyProvedAdoptsNobody) {
    auth.has("11111111-1111-4111-8111-111111111111", "ann@example.com");
    clerk.has("user_a", 1000, "ann@example.com", /*verified=*/false);
    tell({.email = "ann@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_a failed"));
    EXPECT_THAT(reason(), AllOf(HasSubstr("Clerk user user_a"), HasSubstr("11111111-1111-4111"),
                                HasSubstr("not verified"), Not(HasSubstr("@"))));
    EXPECT_EQ(auth.users.begin()->second.clerk_id, "");
}

TEST_F(MirrorAddressTest, WhileClerkCannotBeAskedAnAdoptionWaits) {
    auth.has("11111111-1111-4111-8111-111111111111", "ann@example.com");
    clerk.away = true;
    tell({.email = "ann@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    clerk.away = false;
    clerk.has("user_a", 1000, "ann@example.com");
    pass_time();
    EXPECT_THAT(work(), ElementsAre("user_a adopted"));
}

// Without a secret key Clerk cannot be asked: the event of which the user is known has to say so.
TEST_F(MirrorAddressTest, WithoutASecretKeyTheEventSaysWhetherAnAddressIsProven) {
    make(/*with_clerk=*/false);
    const auto tell_by_event = [&](std::int64_t version, const std::string& verification,
                                   const std::string& id = "user_a") {
        const std::string job = enqueue({.version = version, .email = "ann@example.com"});
        const std::string event = fmt::format(
            R"({{"type":"user.updated","object":"event","data":{{"id":"{}","updated_at":{},)"
            R"("primary_email_address_id":"idn_1","email_addresses":[{{"id":"idn_1",)"
            R"("email_address":"ann@example.com"{}}}]}}}})",
            id, version, verification);
        sql(fmt::format("UPDATE job_queue SET original_event = {} WHERE id = '{}'",
                        directory::quote_literal(event), job));
        drain();
    };
    const std::string verified = R"(,"verification":{"status":"verified"})";
    auth.has(somebody, "ann@example.com");
    tell_by_event(1000, R"(,"verification":{"status":"unverified"})");
    EXPECT_THAT(work(), ElementsAre("user_a failed"));
    EXPECT_THAT(reason(), HasSubstr("Clerk has not verified"));
    tell_by_event(2000, "");
    EXPECT_THAT(work(), ElementsAre("user_a failed"));
    tell_by_event(3000, verified, "user_b");
    EXPECT_THAT(work(), ElementsAre("user_a failed")) << "an event about somebody else";
    tell_by_event(4000, verified);
    sql("UPDATE job_queue SET original_event = NULL, blanked_at = now()");
    EXPECT_THAT(work(), ElementsAre("user_a failed")) << "nobody knows any more";
    EXPECT_THAT(reason(), AllOf(HasSubstr("nothing says"), HasSubstr("clerk.secret_key"),
                                HasSubstr(somebody), Not(HasSubstr("@"))));
    EXPECT_EQ(auth.users[somebody].clerk_id, "");
    tell_by_event(5000, verified);
    EXPECT_THAT(work(), ElementsAre("user_a adopted"));
}

TEST_F(MirrorAddressTest, WhatWasToldWithoutAnEventProvesNothing) {
    make(/*with_clerk=*/false);
    auth.has(somebody, "ann@example.com");
    tell({.email = "ann@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_a failed"));
    EXPECT_EQ(auth.users[somebody].clerk_id, "");
}

// Signing up in Auth with another's address is harmless as long as it is not confirmed, which an
// adoption does.
TEST_F(MirrorAddressTest, AnAddressThatAuthNeverConfirmedIsTakenOverWithoutItsPassword) {
    squatter("ann@example.com");
    auth.passwords[somebody] = "the squatter's";
    clerk.has("user_a", 1000, "ann@example.com");
    bool confirmed_first = false;
    auth.hook = [&](const std::string& operation) {
        if (operation == "set_password") confirmed_first = auth.users[somebody].email_confirmed;
    };
    tell({.email = "ann@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_a adopted"));
    EXPECT_FALSE(confirmed_first);
    EXPECT_TRUE(auth.users[somebody].email_confirmed);
    const std::string password = auth.passwords[somebody];
    EXPECT_GE(password.size(), 40U);
    EXPECT_LE(password.size(), 72U) << "Auth takes no more";
    EXPECT_EQ(adoption(), R"({"auth_id": ")" + somebody + R"(", "password": "replaced"})");
    EXPECT_EQ(sql(fmt::format("SELECT count(*) FROM job_queue j WHERE strpos(j::text, '{}') > 0",
                              password)),
              "0");
    tell({.version = 2000, .email = "ann@example.com", .role = "admin"});
    EXPECT_THAT(work(), ElementsAre("user_a updated"));
    EXPECT_EQ(auth.passwords[somebody], password) << "once";
}

TEST_F(MirrorAddressTest, ATakeOverThatIsCutShortReplacesThePasswordAgain) {
    squatter("ann@example.com");
    clerk.has("user_a", 1000, "ann@example.com");
    tell({.email = "ann@example.com"});
    auth.loses = "set_password";
    EXPECT_THAT(work(), ElementsAre("user_a later"));
    EXPECT_EQ(auth.users[somebody].clerk_id, "");
    EXPECT_FALSE(auth.users[somebody].email_confirmed);
    const std::string first = auth.passwords[somebody];
    pass_time();
    EXPECT_THAT(work(), ElementsAre("user_a adopted"));
    EXPECT_NE(auth.passwords[somebody], first);
}

TEST_F(MirrorAddressTest, WhoCouldSignInOtherwiseIsNotTakenOver) {
    struct Way {
        std::function<void(supabase::AuthUser&)> open;
        std::string named;
    };
    const std::vector<Way> ways{{[](auto& user) { user.phone = "15550100"; }, "a phone number"},
                                {[](auto& user) { user.other_sign_in = "github"; }, "github"}};
    std::int64_t version = 1000;
    for (const Way& way : ways) {
        way.open(squatter("ann@example.com"));
        clerk.has("user_a", version, "ann@example.com");
        tell({.version = version, .email = "ann@example.com"});
        EXPECT_THAT(work(), ElementsAre("user_a failed"));
        EXPECT_THAT(reason(), AllOf(HasSubstr("never confirmed"), HasSubstr(way.named),
                                    HasSubstr(somebody), Not(HasSubstr("@"))));
        EXPECT_EQ(auth.users[somebody].clerk_id, "");
        EXPECT_FALSE(auth.users[somebody].email_confirmed);
        auth.users.erase(somebody);
        version += 1000;
    }
    EXPECT_THAT(auth.passwords, IsEmpty());
}

TEST_F(MirrorAddressTest, TheSameClerkIdIsAdoptedWithoutAsking) {
    auth.has("11111111-1111-4111-8111-111111111111", "ann@example.com", "user_a");
    tell({.email = "ann@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_a adopted"));
    EXPECT_THAT(clerk.asked, IsEmpty());
}

TEST_F(MirrorAddressTest, AnotherClerkUserWhoHasTheAddressKeepsIt) {
    const log::Capture log;
    is_mirrored({.clerk_id = "user_b", .email = "ann@example.com"});
    // The table has a row for each case of an address, Supabase Auth one user.
    tell({.email = "ANN@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_a failed"));
    EXPECT_THAT(reason(), AllOf(HasSubstr("Clerk user user_a"), HasSubstr("Clerk user user_b"),
                                HasSubstr(ben), Not(HasSubstr("@"))));
    EXPECT_EQ(auth.user(ben), "ann@example.com|Ann|user");
    EXPECT_THAT(std::string(log.text()), HasSubstr("mirror_conflict"));
    EXPECT_THAT(std::string(log.text()), Not(HasSubstr("@example.com")));
}

// Another rollcall's, of another Clerk, or one who has no row yet: whether they gave it up is not
// known here, whatever their Auth id.
TEST_F(MirrorAddressTest, AClerkUserWhoIsNotKnownHereKeepsTheAddress) {
    tell({.email = "ann@example.com"});
    for (const std::string& id :
         {std::string("11111111-1111-4111-8111-111111111111"), auth_id_of("user_elsewhere")}) {
        auth.users.clear();
        auth.has(id, "ann@example.com", "user_elsewhere");
        EXPECT_THAT(work(), ElementsAre("user_a failed"));
        EXPECT_THAT(reason(), AllOf(HasSubstr("Clerk user user_a"),
                                    HasSubstr("Clerk user user_elsewhere"), HasSubstr(id)));
        EXPECT_EQ(auth.users[id].email, "ann@example.com");
        sql("UPDATE public.job_queue SET status = 'PENDING' WHERE job_type = 'MIRROR_USER'");
    }
    EXPECT_EQ(sql("SELECT count(*) FROM public.job_queue WHERE subject = 'user_elsewhere'"), "0");
}

TEST_F(MirrorAddressTest, AnAccountOfTheApplicationsIsNeverMergedWithACopy) {
    is_mirrored({.email = "ann@example.com"});
    auth.has("11111111-1111-4111-8111-111111111111", "ann@example.org");
    clerk.has("user_a", 2000, "ann@example.org");
    tell({.version = 2000, .email = "ann@example.org"});
    EXPECT_THAT(work(), ElementsAre("user_a failed"));
    EXPECT_THAT(reason(), AllOf(HasSubstr(ann), HasSubstr("11111111-1111-4111")));
    // All else is mirrored all the same.
    tell({.version = 3000, .email = "ann@example.org", .name = "Anna", .banned = true});
    EXPECT_THAT(work(), ElementsAre("user_a failed"));
    EXPECT_EQ(auth.user(ann), "ann@example.com|Anna|user|banned");
    EXPECT_EQ(copy("content_hash IS NULL"), "t");
}

TEST_F(MirrorAddressTest, TheCopyOfOneIsNotAdoptedByAnother) {
    const std::string id = "11111111-1111-4111-8111-111111111111";
    auth.has(id, "ben@example.com");
    clerk.has("user_b", 1000, "ben@example.com");
    tell({.clerk_id = "user_b", .email = "ben@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_b adopted"));
    auth.users[id].clerk_id = "";  // by hand
    auth.users[id].email = "ann@example.com";
    clerk.has("user_a", 1000, "ann@example.com");
    tell({.email = "ann@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_a again"));
    EXPECT_THAT(sql("SELECT error FROM job_queue WHERE subject = 'user_a' AND status = 'PENDING'"),
                HasSubstr("another Clerk user's copy"));
}

// One who was adopted, but for the note of it, by somebody who is deleted.
TEST_F(MirrorAddressTest, WhatIsLeftOfAnAdoptionKeepsNobodyFromAnother) {
    const std::string id = "11111111-1111-4111-8111-111111111111";
    auth.has(id, "ben@example.com");
    clerk.has("user_b", 1000, "ben@example.com");
    tell({.clerk_id = "user_b", .email = "ben@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_b adopted"));
    auth.users[id].clerk_id = "";
    sql("UPDATE rollcall.mirror_users SET mirrored_at = '-infinity'");
    tell({.clerk_id = "user_b", .version = 2000, .deletion = true});
    clerk.has("user_a", 1000, "ben@example.com");
    sql("UPDATE job_queue SET run_at = now() + interval '1 hour' WHERE status = 'PENDING'");
    tell({.email = "ben@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_a again"));
    sql("UPDATE job_queue SET run_at = now() WHERE subject = 'user_b'");
    work();
    sql("UPDATE job_queue SET run_at = now() WHERE subject = 'user_a'");
    EXPECT_THAT(work(), ElementsAre("user_a adopted"));
    EXPECT_EQ(auth.users[id].clerk_id, "user_a");
}

TEST_F(MirrorAddressTest, ASwapConvergesWhateverAuthSays) {
    for (const bool hidden : {false, true}) {
        auth.hidden = hidden;
        const int at = hidden ? 10'000 : 0;
        tell({.version = at + 1000, .email = "a@example.com"});
        tell({.clerk_id = "user_b", .version = at + 1000, .email = "b@example.com"});
        for (const auto& end : work()) EXPECT_THAT(end, Not(HasSubstr("failed")));
        // As the table lets an address go before another takes it.
        tell({.version = at + 2000, .email = std::nullopt});
        tell({.clerk_id = "user_b", .version = at + 2000, .email = "a@example.com"});
        tell({.version = at + 3000, .email = "b@example.com"});
        for (const auto& end : work()) EXPECT_THAT(end, Not(HasSubstr("failed")));
        EXPECT_EQ(auth.user(ann), "b@example.com|Ann|user");
        EXPECT_EQ(auth.user(ben), "a@example.com|Ann|user");
        EXPECT_EQ(copy("content_hash IS NULL", "user_b"), "f");
    }
}

TEST_F(MirrorAddressTest, WhoSignsUpWithTheAddressOfADeletedUserGetsIt) {
    is_mirrored({.clerk_id = "user_b", .email = "ann@example.com"});
    tell({.clerk_id = "user_b", .version = 2000, .deletion = true});
    const auto removal = claim();
    ASSERT_TRUE(removal);
    tell({.email = "ann@example.com"});
    EXPECT_THAT(work(), ElementsAre("user_a created"));
    EXPECT_EQ(auth.user(ann), "ann@example.com|Ann|user");
    EXPECT_EQ(auth.user(ben), ben + "@rollcall.invalid|Ann|user") << "its removal is under way";
    record(*removal, run(mirror->handle(*removal)));
    EXPECT_THAT(work(), ElementsAre("user_b unchanged"));
    EXPECT_EQ(auth.users.size(), 1U);
}

TEST_F(MirrorAddressTest, NobodysAddressIsMovedWithoutTheLease) {
    is_mirrored({.clerk_id = "user_b", .email = "ann@example.com"});
    tell({.clerk_id = "user_b", .version = 2000, .email = "ben@example.com"});
    tell({.email = "ann@example.com"});
    const auto first = claim();
    const auto second = claim();
    ASSERT_TRUE(first && second);
    const jobs::Job& anns = first->subject == "user_a" ? *first : *second;
    auth.hook = [this](const std::string& operation) { holds = holds && operation != "find"; };
    EXPECT_EQ(said(run(mirror->handle(anns))), "later");
    EXPECT_EQ(auth.user(ben), "ann@example.com|Ann|user");
    // With it, and the other one gone just then.
    holds = true;
    auth.hook = [this](const std::string& operation) {
        if (operation == "set_email") auth.users.erase(ben);
    };
    EXPECT_EQ(said(run(mirror->handle(anns))), "created");
    EXPECT_EQ(auth.user(ann), "ann@example.com|Ann|user");
}

// The process dies between the two, and the row of the other one is as it was last written again.
TEST_F(MirrorAddressTest, AnAddressThatWasMovedBeforeADeathIsGivenBack) {
    is_mirrored({.clerk_id = "user_b", .email = "ann@example.com"});
    tell({.clerk_id = "user_b", .version = 2000, .email = "ben@example.com"});
    const auto bens = claim();
    tell({.email = "ann@example.com"});
    const auto anns = claim();
    ASSERT_TRUE(bens && anns);
    auth.hook = [this](const std::string& operation) {
        if (operation != "set_email") return;
        auth.users[ben].email = "moved@rollcall.invalid";
        throw Unavailable("this process died");
    };
    EXPECT_THROW(run(mirror->handle(*anns)), Unavailable);
    auth.hook = nullptr;
    tell({.version = 2000, .email = "ann@example.org"});
    tell({.clerk_id = "user_b", .version = 3000, .email = "ann@example.com"});
    record(*bens, run(mirror->handle(*bens)));
    EXPECT_EQ(auth.user(ben), "ann@example.com|Ann|user");
}

}  // namespace
}  // namespace rollcall::mirror
