#include "gate/token_cache.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

namespace rollcall::gate {
namespace {

using namespace std::chrono_literals;

constexpr SystemTime start{std::chrono::sys_days(std::chrono::year(2026) / 11 / 23)};

TokenCache::Claims claims_until(SystemTime expires, std::string subject = "user_a") {
    clerk::SessionClaims claims;
    claims.subject = std::move(subject);
    claims.expires_at = expires;
    return std::make_shared<const clerk::SessionClaims>(std::move(claims));
}

crypto::Sha256 token(std::string_view text) {
    return crypto::sha256(text);
}

TEST(TokenCache, FindsWhatWasKept) {
    TokenCache cache;
    EXPECT_EQ(cache.find(token("a"), 1, start), nullptr);
    cache.keep(token("a"), 1, claims_until(start + 60s), start);
    cache.keep(token("b"), 1, claims_until(start + 60s, "user_b"), start);
    ASSERT_NE(cache.find(token("a"), 1, start), nullptr);
    EXPECT_EQ(cache.find(token("b"), 1, start)->subject, "user_b");
    EXPECT_EQ(cache.find(token("c"), 1, start), nullptr);
    EXPECT_EQ(cache.size(), 2U);
}

TEST(TokenCache, AnEntryDiesAtItsExpiry) {
    TokenCache cache;
    cache.keep(token("a"), 1, claims_until(start + 60s), start);
    EXPECT_NE(cache.find(token("a"), 1, start + 60s - 1ms), nullptr);
    EXPECT_EQ(cache.find(token("a"), 1, start + 60s), nullptr);
    EXPECT_EQ(cache.size(), 0U);
    cache.keep(token("a"), 1, claims_until(start + 60s), start + 60s);
    EXPECT_EQ(cache.size(), 0U);
}

TEST(TokenCache, OtherKeysEmptyIt) {
    TokenCache cache;
    cache.keep(token("a"), 1, claims_until(start + 60s), start);
    EXPECT_EQ(cache.find(token("a"), 2, start), nullptr);
    EXPECT_EQ(cache.size(), 0U);
    EXPECT_EQ(cache.find(token("a"), 1, start), nullptr);
    cache.keep(token("a"), 2, claims_until(start + 60s), start);
    cache.keep(token("b"), 3, claims_until(start + 60s), start);
    EXPECT_EQ(cache.find(token("a"), 3, start), nullptr);
    EXPECT_EQ(cache.size(), 1U);
}

TEST(TokenCache, WhoWasUnusedLongestGoesFirst) {
    TokenCache cache(2);
    cache.keep(token("a"), 1, claims_until(start + 60s), start);
    cache.keep(token("b"), 1, claims_until(start + 60s), start);
    EXPECT_NE(cache.find(token("a"), 1, start), nullptr);
    cache.keep(token("c"), 1, claims_until(start + 60s), start);
    EXPECT_NE(cache.find(token("a"), 1, start), nullptr);
    EXPECT_EQ(cache.find(token("b"), 1, start), nullptr);
    EXPECT_NE(cache.find(token("c"), 1, start), nullptr);
    EXPECT_EQ(cache.size(), 2U);
    EXPECT_EQ(cache.evicted(), 1U);
}

TEST(TokenCache, ExpiredOnesMakeRoomUncounted) {
    TokenCache cache(1);
    cache.keep(token("a"), 1, claims_until(start + 1s), start);
    cache.keep(token("b"), 1, claims_until(start + 60s), start + 2s);
    EXPECT_EQ(cache.size(), 1U);
    EXPECT_EQ(cache.evicted(), 0U);
}

TEST(TokenCache, WhatWasFoundLivesOn) {
    TokenCache cache(1);
    cache.keep(token("a"), 1, claims_until(start + 60s), start);
    const auto held = cache.find(token("a"), 1, start);
    cache.keep(token("b"), 1, claims_until(start + 60s), start);
    EXPECT_EQ(held->subject, "user_a");
}

}  // namespace
}  // namespace rollcall::gate
