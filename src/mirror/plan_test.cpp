#include "mirror/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollcall::mirror {
namespace {

using directory::Existence;
using directory::MirroredRow;
using supabase::AuthFault;

// A row that was mirrored as it is.
MirroredRow mirrored() {
    MirroredRow row;
    row.existence = Existence::living;
    row.email = "ann@example.com";
    row.name = "Ann";
    row.role = "user";
    row.content_hash = 7;
    row.auth_id = "00000000-0000-5000-8000-000000000001";
    row.written_hash = 7;
    return row;
}

TEST(FirstStep, WhatWasWrittenIsNotWrittenAgain) {
    EXPECT_EQ(first_step(mirrored()), FirstStep::nothing);
    MirroredRow row = mirrored();
    row.written_hash = 6;
    EXPECT_EQ(first_step(row), FirstStep::write);
    row.written_hash = std::nullopt;
    EXPECT_EQ(first_step(row), FirstStep::write);
    row = mirrored();
    row.auth_id = "";
    EXPECT_EQ(first_step(row), FirstStep::write);
}

TEST(FirstStep, WithoutAnAddressThereIsSomethingToFindOut) {
    MirroredRow row = mirrored();
    row.email = "";
    EXPECT_EQ(first_step(row), FirstStep::ask) << "the number is not in the row, nor in its hash";
}

TEST(FirstStep, WhoWasDeletedIsRemovedAndWhoIsUnknownIsLeftAlone) {
    MirroredRow row = mirrored();
    row.existence = Existence::deleted;
    EXPECT_EQ(first_step(row), FirstStep::remove);
    row.existence = Existence::unknown;
    EXPECT_EQ(first_step(row), FirstStep::wait);
    EXPECT_EQ(first_step(MirroredRow{}), FirstStep::wait);
}

TEST(KnownId, OfASkippedUserIsNone) {
    MirroredRow row = mirrored();
    EXPECT_EQ(known_id(row), row.auth_id);
    row.skipped = "no_email_or_phone";
    EXPECT_EQ(known_id(row), "");
}

TEST(ChangeOf, HasWhatTheRowHas) {
    MirroredRow row = mirrored();
    row.banned = true;
    const auto change = change_of("user_ann", row);
    EXPECT_EQ(change.clerk_id, "user_ann");
    EXPECT_EQ(change.email, "ann@example.com");
    EXPECT_EQ(change.name, "Ann");
    EXPECT_EQ(change.role, "user");
    EXPECT_TRUE(change.banned);
    row.email = "";
    row.name = "";
    EXPECT_EQ(change_of("user_ann", row).email, std::nullopt);
    EXPECT_EQ(change_of("user_ann", row).name, std::nullopt);
}

TEST(OwnerOf, GoesByWhatOnlyAdministratorsWrite) {
    supabase::AuthUser user;
    EXPECT_EQ(owner_of(user, "user_ann"), Owner::nobody);
    user.clerk_id = "user_ann";
    EXPECT_EQ(owner_of(user, "user_ann"), Owner::ours);
    EXPECT_EQ(owner_of(user, "user_ben"), Owner::another);
}

TEST(AfterRefusal, OfACreationLooksBeforeItTriesAgain) {
    for (const AuthFault fault : {AuthFault::away, AuthFault::opaque, AuthFault::taken,
                                  AuthFault::email_taken, AuthFault::phone_taken}) {
        EXPECT_EQ(after_create({.fault = fault}), AfterRefusal::look) << to_string(fault);
    }
    EXPECT_EQ(after_create({.fault = AuthFault::away, .sent = false}), AfterRefusal::later);
    EXPECT_EQ(after_create({.fault = AuthFault::rate_limited}), AfterRefusal::later);
    EXPECT_EQ(after_create({.fault = AuthFault::key_refused}), AfterRefusal::later);
    EXPECT_EQ(after_create({.fault = AuthFault::invalid}), AfterRefusal::give_up);
    EXPECT_EQ(after_create({.fault = AuthFault::constrained}), AfterRefusal::give_up);
}

TEST(AfterRefusal, OnlyAnAddressThatIsTakenHasAHolder) {
    EXPECT_EQ(after_look({.fault = AuthFault::email_taken}, true), AfterRefusal::make_way);
    EXPECT_EQ(after_look({.fault = AuthFault::taken}, true), AfterRefusal::make_way);
    EXPECT_EQ(after_look({.fault = AuthFault::taken}, false), AfterRefusal::give_up);
    EXPECT_EQ(after_look({.fault = AuthFault::phone_taken}, true), AfterRefusal::give_up);
    EXPECT_EQ(after_look({.fault = AuthFault::away}, true), AfterRefusal::later);
    EXPECT_EQ(after_look({.fault = AuthFault::opaque}, true), AfterRefusal::later);
}

TEST(AfterRefusal, OfAnUpdate) {
    EXPECT_EQ(after_update({.fault = AuthFault::not_found}, true), AfterRefusal::create);
    EXPECT_EQ(after_update({.fault = AuthFault::taken}, true), AfterRefusal::make_way);
    EXPECT_EQ(after_update({.fault = AuthFault::opaque}, true), AfterRefusal::make_way);
    EXPECT_EQ(after_update({.fault = AuthFault::opaque}, false), AfterRefusal::later);
    EXPECT_EQ(after_update({.fault = AuthFault::phone_taken}, true), AfterRefusal::give_up);
    EXPECT_EQ(after_update({.fault = AuthFault::invalid}, true), AfterRefusal::give_up);
    EXPECT_EQ(after_update({.fault = AuthFault::constrained}, true), AfterRefusal::give_up);
    EXPECT_EQ(after_update({.fault = AuthFault::away}, true), AfterRefusal::later);
}

TEST(EndOf, AnOutageBurnsNothingAndWhatWillNotChangeIsADeadLetter) {
    for (const AuthFault fault :
         {AuthFault::away, AuthFault::rate_limited, AuthFault::key_refused}) {
        const auto end = end_of({.fault = fault, .message = "why"});
        ASSERT_TRUE(std::holds_alternative<jobs::Retry>(end)) << to_string(fault);
        EXPECT_FALSE(std::get<jobs::Retry>(end).burns_attempt);
        EXPECT_EQ(std::get<jobs::Retry>(end).reason, "why");
    }
    const auto opaque = end_of({.fault = AuthFault::opaque});
    EXPECT_TRUE(std::get<jobs::Retry>(opaque).burns_attempt);
    for (const AuthFault fault :
         {AuthFault::phone_taken, AuthFault::invalid, AuthFault::taken, AuthFault::constrained}) {
        EXPECT_TRUE(std::holds_alternative<jobs::Failed>(end_of({.fault = fault})));
    }
}

}  // namespace
}  // namespace rollcall::mirror
