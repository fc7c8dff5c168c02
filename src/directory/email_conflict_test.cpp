#include "directory/email_conflict.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollcall::directory {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const EmailClaim claim{
    .clerk_id = "user_b", .email = "x@example.com", .version = 5, .verified = std::nullopt};
const EmailHolder holder{.row = "row-7", .clerk_id = "user_a", .deleted = false};
const EmailHolder orphan{.row = "row-7", .clerk_id = "", .deleted = false};

EmailSituation held_by(const EmailHolder& by) {
    return {.version = std::nullopt, .deleted = false, .own_row = "", .holder = by};
}

EmailDecision decided(const EmailSituation& situation,
                      EmailAnswer of_claimant = EmailAnswer::not_asked,
                      EmailAnswer of_holder = EmailAnswer::not_asked, bool can_ask = true,
                      const EmailClaim& of = claim) {
    return decide(of, situation, of_claimant, of_holder, can_ask);
}

TEST(EmailConflict, NobodyInTheWay) {
    EXPECT_EQ(decided({}).step, EmailStep::apply);
}

TEST(EmailConflict, AChangeThatWillNotBeWrittenNeedsNoAddress) {
    EmailSituation situation = held_by(holder);
    situation.version = 6;
    EXPECT_EQ(decided(situation).step, EmailStep::apply);
    situation.version = 5;  // the same again, or a tie
    EXPECT_EQ(decided(situation).step, EmailStep::apply);
    situation.version = 4;
    EXPECT_EQ(decided(situation).step, EmailStep::ask_holder);
    situation.deleted = true;
    EXPECT_EQ(decided(situation).step, EmailStep::apply);
}

TEST(EmailConflict, AReadWinsOverAnEqualVersionAndADeletion) {
    EmailClaim read = claim;
    read.read = true;
    EmailSituation situation = held_by(holder);
    situation.version = 5;
    situation.deleted = true;
    const auto decision =
        decided(situation, EmailAnswer::not_asked, EmailAnswer::not_asked, true, read);
    EXPECT_EQ(decision.step, EmailStep::ask_holder);
}

TEST(EmailConflict, ASettledReadWinsOverANewerVersion) {
    EmailClaim read = claim;
    read.read = true;
    EmailSituation situation = held_by(holder);
    situation.version = 6;
    const auto step = [&](const EmailClaim& of) {
        return decided(situation, EmailAnswer::not_asked, EmailAnswer::not_asked, true, of).step;
    };
    EXPECT_EQ(step(read), EmailStep::apply);
    situation.settled = true;
    EXPECT_EQ(step(read), EmailStep::ask_holder);
    EXPECT_EQ(step(claim), EmailStep::apply);  // an event never does
}

TEST(EmailConflict, ADeletedHolderGivesItUp) {
    EmailHolder deleted = holder;
    deleted.deleted = true;
    EXPECT_EQ(decided(held_by(deleted)).step, EmailStep::release);
    deleted.clerk_id = "";
    EXPECT_EQ(decided(held_by(deleted)).step, EmailStep::release);
}

TEST(EmailConflict, AHolderThatIsAboutToLeaveItGivesItUp) {
    EmailHolder leaving = holder;
    leaving.leaves = true;
    const auto decision = decided(held_by(leaving), EmailAnswer::not_asked, EmailAnswer::not_asked,
                                  /*can_ask=*/false);
    EXPECT_EQ(decision.step, EmailStep::release);
}

TEST(EmailConflict, ClerkDecidesBetweenTwoUsers) {
    const auto after = [](EmailAnswer of_holder, EmailAnswer of_claimant) {
        return decided(held_by(holder), of_claimant, of_holder).step;
    };
    constexpr auto unasked = EmailAnswer::not_asked;
    EXPECT_EQ(after(EmailAnswer::not_asked, unasked), EmailStep::ask_holder);
    EXPECT_EQ(after(EmailAnswer::unreachable, unasked), EmailStep::wait);
    EXPECT_EQ(after(EmailAnswer::no_such_user, unasked), EmailStep::hand_over);
    EXPECT_EQ(after(EmailAnswer::has_another, unasked), EmailStep::hand_over);
    EXPECT_EQ(after(EmailAnswer::no_id_of_clerks, unasked), EmailStep::refuse);
    for (const auto has : {EmailAnswer::has_it, EmailAnswer::has_it_verified}) {
        EXPECT_EQ(after(has, unasked), EmailStep::ask_claimant);
        EXPECT_EQ(after(has, EmailAnswer::has_another), EmailStep::overtaken);
        EXPECT_EQ(after(has, EmailAnswer::has_it), EmailStep::refuse);
        EXPECT_EQ(after(has, EmailAnswer::no_such_user), EmailStep::overtaken);
        EXPECT_EQ(after(has, EmailAnswer::unreachable), EmailStep::wait);
    }
}

TEST(EmailConflict, ARowWithoutAClerkIdIsAdoptedByAVerifiedAddressOnly) {
    const auto after = [](std::optional<bool> verified, EmailAnswer of_claimant) {
        EmailClaim own = claim;
        own.verified = verified;
        return decided(held_by(orphan), of_claimant, EmailAnswer::not_asked, true, own).step;
    };
    constexpr auto unasked = EmailAnswer::not_asked;
    EXPECT_EQ(after(true, unasked), EmailStep::adopt);
    EXPECT_EQ(after(false, unasked), EmailStep::refuse);
    EXPECT_EQ(after(std::nullopt, unasked), EmailStep::ask_claimant);
    EXPECT_EQ(after(std::nullopt, EmailAnswer::has_it_verified), EmailStep::adopt);
    EXPECT_EQ(after(std::nullopt, EmailAnswer::has_it), EmailStep::refuse);
    EXPECT_EQ(after(std::nullopt, EmailAnswer::has_another), EmailStep::overtaken);
    EXPECT_EQ(after(std::nullopt, EmailAnswer::no_such_user), EmailStep::overtaken);
    EXPECT_EQ(after(std::nullopt, EmailAnswer::unreachable), EmailStep::wait);
}

TEST(EmailConflict, AUserWithARowAdoptsNoSecond) {
    EmailSituation situation = held_by(orphan);
    situation.own_row = "row-8";
    EmailClaim verified = claim;
    verified.verified = true;
    const auto decision =
        decided(situation, EmailAnswer::not_asked, EmailAnswer::not_asked, true, verified);
    EXPECT_EQ(decision.step, EmailStep::refuse);
    EXPECT_THAT(decision.reason, AllOf(HasSubstr("row-7"), HasSubstr("row-8")));
}

TEST(EmailConflict, WithoutAKeyItWaits) {
    for (const auto& by : {holder, orphan}) {
        const auto decision = decided(held_by(by), EmailAnswer::not_asked, EmailAnswer::not_asked,
                                      /*can_ask=*/false);
        EXPECT_EQ(decision.step, EmailStep::wait);
        EXPECT_THAT(decision.reason, HasSubstr("without a secret key"));
    }
}

TEST(EmailConflict, ReasonsNameBothAndNoAddress) {
    for (const auto of_holder : {EmailAnswer::has_it, EmailAnswer::unreachable}) {
        const auto decision = decided(held_by(holder), EmailAnswer::has_it, of_holder);
        EXPECT_THAT(decision.reason,
                    AllOf(HasSubstr("user_a"), HasSubstr("user_b"), Not(HasSubstr("example"))));
    }
}

}  // namespace
}  // namespace rollcall::directory
