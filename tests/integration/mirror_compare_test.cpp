// What a comparison of Supabase Auth with the rows finds, and what becomes of it: by the pages of
// Auth's list, and by SQL on an auth.users.
#include "mirror_compare_fixture.hpp"

#include <map>

namespace rollcall::mirror {
namespace {

using supabase::AuthUser;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

const std::string somebody = "11111111-1111-4111-8111-111111111111";

// Both ways see the same.
class MirrorCompareWays : public MirrorCompare, public testing::WithParamInterface<bool> {
protected:
    MirrorCompareWays() {
        if (GetParam()) with_auth_users();
    }
    void expect_way() {
        ASSERT_TRUE(summary);
        EXPECT_EQ(summary->by_sql, GetParam());
    }
};
INSTANTIATE_TEST_SUITE_P(Ways, MirrorCompareWays, testing::Bool(),
                         [](const auto& way) { return way.param ? "sql" : "pages"; });

TEST_P(MirrorCompareWays, WhoWasThereBeforeTheMirrorGetsThere) {
    people(7);
    forget_jobs();
    EXPECT_EQ(differences().size(), 7U);
    expect_way();
    EXPECT_EQ(waiting(), "") << "looking writes nothing";
    EXPECT_EQ(repair(), "7 0 0");
    expect_way();
    EXPECT_EQ(work().size(), 7U);
    EXPECT_EQ(auth.users.size(), 7U);
    EXPECT_THAT(differences(), IsEmpty());
    EXPECT_EQ(repair(), "0 0 0");
    EXPECT_EQ(waiting(), "") << "who is as they should be costs nothing";
    EXPECT_EQ(seen(), "0");
}

TEST_P(MirrorCompareWays, EveryFieldThatSomebodyChangedIsWrittenAgain) {
    const std::map<std::string, std::function<void(AuthUser&)>> changes{
        {"email", [](AuthUser& user) { user.email = "else@example.com"; }},
        {"name", [](AuthUser& user) { user.full_name = ""; }},
        {"role", [](AuthUser& user) { user.role = "admin"; }},
        {"banned", [](AuthUser& user) { user.banned_until = "2126-01-01T00:00:00Z"; }},
        {"confirmed", [](AuthUser& user) { user.email_confirmed = false; }},
    };
    AuthUser& copy = auth.users[is_mirrored({.email = "Ann@example.com"})];
    const std::string as_it_was = auth.user(copy.id);
    EXPECT_THAT(differences(), IsEmpty()) << "whatever the case of the address";
    for (const auto& [field, change] : changes) {
        change(copy);
        EXPECT_THAT(differences(), ElementsAre("user_a different " + field));
        expect_way();
        EXPECT_EQ(repair(), "0 1 0");
        EXPECT_THAT(differences(), ElementsAre("user_a different " + field + "!"));
        EXPECT_THAT(work(), ElementsAre("user_a updated")) << "whatever was noted of it";
        EXPECT_EQ(auth.user(copy.id), as_it_was);
        EXPECT_THAT(differences(), IsEmpty());
    }
    copy.banned_until = "2020-01-01T00:00:00Z";
    EXPECT_THAT(differences(), IsEmpty()) << "a ban that is over";
}

TEST_P(MirrorCompareWays, ACopyOfADeletedUserGoes) {
    const std::string ann = is_mirrored({.email = "ann@example.com"});
    is_mirrored({.clerk_id = "user_b", .email = "ben@example.com"});
    tell({.version = 2000, .deletion = true});
    EXPECT_THAT(differences(), ElementsAre("user_a extra!"));
    forget_jobs();
    EXPECT_THAT(differences(), ElementsAre("user_a extra"));
    expect_way();
    // Not the one that would be made for this user, and not known here: it bears the Clerk id.
    AuthUser adopted = auth.users[ann];
    adopted.id = somebody;
    auth.users.erase(ann);
    auth.users[somebody] = adopted;
    sql("DELETE FROM rollcall.mirror_users WHERE clerk_id = 'user_a'");
    EXPECT_EQ(repair(), "0 0 1");
    EXPECT_THAT(work(), ElementsAre("user_a removed"));
    EXPECT_EQ(auth.users.size(), 1U);
    EXPECT_EQ(repair(), "0 0 0");
}

TEST_P(MirrorCompareWays, ARowThatIsMissingRemovesNobody) {
    is_mirrored({.email = "ann@example.com"});
    sql("DELETE FROM users");
    EXPECT_THAT(differences(), ElementsAre("user_a extra"));
    EXPECT_EQ(repair(), "0 0 1");
    EXPECT_EQ(waiting(), "");
    expect_way();
}

TEST_P(MirrorCompareWays, WhoIsNotRollcallsIsCountedAndLeftAlone) {
    auth.has(somebody, "app@example.com");
    auth.has("22222222-2222-4222-8222-222222222222", "else@example.com", "user_elsewhere");
    AuthUser& soft = auth.has("33333333-3333-4333-8333-333333333333", "", "user_a");
    soft.soft_deleted = true;
    tell({.email = "ann@example.com"});
    forget_jobs();
    EXPECT_THAT(differences(), ElementsAre("user_a missing")) << "a soft-deleted one is no copy";
    EXPECT_EQ(repair(), "1 0 0");
    EXPECT_EQ(waiting(), "user_a");
    expect_way();
    EXPECT_EQ(summary->foreign, 2);
    EXPECT_EQ(state("foreign_users, missing, different, extra, held"), "2|1|0|0|0");
}

TEST_P(MirrorCompareWays, WithoutAnAddressThereIsOneOfRollcallsOrNone) {
    tell({.email = std::nullopt});
    EXPECT_THAT(work(), ElementsAre("user_a skipped"));
    EXPECT_THAT(differences(), IsEmpty());
    EXPECT_EQ(summary->skipped, 1);
    EXPECT_THAT(run(compare->skipped(10)), ElementsAre("user_a"));
    const std::string ben = is_mirrored({.clerk_id = "user_b", .email = "ben@example.com"});
    tell({.clerk_id = "user_b", .version = 2000});
    EXPECT_THAT(work(), ElementsAre("user_b updated"));
    EXPECT_EQ(auth.users[ben].email, placeholder_address(ben));
    EXPECT_THAT(differences(), IsEmpty());
    auth.users[ben].email = "old@example.com";
    EXPECT_THAT(differences(), ElementsAre("user_b different email"));
    // Who has an address by now has no reason to be skipped.
    tell({.version = 2000, .email = "ann@example.com"});
    forget_jobs();
    auth.users[ben].email = placeholder_address(ben);
    EXPECT_THAT(differences(), ElementsAre("user_a missing"));
}

TEST_P(MirrorCompareWays, WhatIsNotNotedIsNotedAndASecondCopyIsSaid) {
    const std::string ann = is_mirrored({.email = "ann@example.com"});
    sql("DELETE FROM rollcall.mirror_users");
    EXPECT_THAT(differences(), IsEmpty());
    EXPECT_EQ(repair(), "0 0 0");
    EXPECT_EQ(copy("auth_id, adopted"), ann + "|f");
    AuthUser twin = auth.users[ann];
    twin.id = somebody;
    twin.email = "twin@example.com";
    auth.users[somebody] = twin;
    EXPECT_THAT(differences(), ElementsAre("user_a extra"));
    EXPECT_EQ(repair(), "0 0 1");
    EXPECT_EQ(waiting(), "") << "of two, nobody knows which one";
    expect_way();
}

TEST_P(MirrorCompareWays, AnEmptyAuthIsFilledAgain) {
    people(5);
    EXPECT_EQ(work().size(), 5U);
    auth.users.clear();
    EXPECT_EQ(repair(), "5 0 0");
    expect_way();
    EXPECT_EQ(work().size(), 5U);
    EXPECT_THAT(differences(), IsEmpty());
}

// As the poll's.
TEST_P(MirrorCompareWays, MoreRemovalsThanTheGuardAllowsWaitForAPerson) {
    allowed = 2;
    people(4);
    EXPECT_EQ(work().size(), 4U);
    for (int i = 0; i < 3; ++i) {
        tell({.clerk_id = fmt::format("user_{}", i), .version = 2000, .deletion = true});
    }
    EXPECT_EQ(repair(), "0 0 0") << "their jobs are under way";
    EXPECT_EQ(state("held"), "0");
    forget_jobs();
    sql("UPDATE users SET name = 'by hand' WHERE clerk_id = 'user_3'");
    EXPECT_EQ(repair(), "0 1 3");
    EXPECT_EQ(summary->held, 3);
    EXPECT_EQ(waiting(), "user_3") << "what removes nobody is done all the same";
    EXPECT_EQ(state("held, extra"), "3|3");
    // A person lets as many go as were held, and no more.
    EXPECT_FALSE(run(compare->record().due(24h)));
    EXPECT_EQ(run(compare->record().allow_removals({.kind = Actor::Kind::cli})), 3);
    EXPECT_TRUE(run(compare->record().due(24h)));
    sql("UPDATE rollcall.mirror_state SET removals_allowed = 2");
    EXPECT_EQ(repair(), "0 0 3");
    EXPECT_EQ(state("held"), "3");
    EXPECT_EQ(state("coalesce(removals_allowed, 0)"), "0");
    EXPECT_EQ(run(compare->record().allow_removals({.kind = Actor::Kind::cli})), 3);
    EXPECT_EQ(sql("SELECT actor || ' ' || detail FROM rollcall.audit_log "
                  "WHERE action = 'deletes.approve' ORDER BY id LIMIT 1"),
              R"(cli {"mirror": 3})");
    EXPECT_EQ(repair(), "0 0 3");
    EXPECT_EQ(waiting(), "user_0 user_1 user_2 user_3");
    EXPECT_EQ(state("held"), "0");
    EXPECT_FALSE(run(compare->record().due(24h))) << "it is used up";
    EXPECT_EQ(run(compare->record().allow_removals({})).error().code, ErrorCode::not_found);
}

TEST_P(MirrorCompareWays, WhatAPersonCancelledStaysSoAndADeadLetterIsTriedAgain) {
    people(2);
    sql("UPDATE job_queue SET status = CASE subject WHEN 'user_0' THEN 'CANCELLED' ELSE 'FAILED' "
        "END WHERE job_type = 'MIRROR_USER'");
    EXPECT_EQ(repair(), "2 0 0");
    EXPECT_EQ(waiting(), "user_1");
}

}  // namespace
}  // namespace rollcall::mirror
