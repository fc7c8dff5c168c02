// The keys of rollcall's own tokens over a real database: one for all instances, followed in time,
// published before and after. Time moves by moving the rows back: it is the database's.
#include "gate/signing_keys.hpp"

#include "crypto/jwk_set.hpp"
#include "gate/sql.hpp"
#include "migrated_fixture.hpp"

#include "base/together.hpp"

#include <chrono>
#include <deque>

namespace rollcall::gate {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class GateSigningKeysTest : public test::MigratedTest {
protected:
    GateSigningKeysTest() : MigratedTest("rollcall.signing_keys") {}

    SigningKeys& instance() {
        registries.emplace_back();
        keys.push_back(
            std::make_unique<SigningKeys>(io.get_executor(), pool, config, registries.back()));
        run(keys.back()->refresh());
        return *keys.back();
    }
    void pass(std::chrono::seconds time) const {
        sql(
            fmt::format("UPDATE rollcall.signing_keys SET signs_from = signs_from - interval "
                        "'{} seconds'",
                        time.count()));
    }
    std::string count() const { return sql("SELECT count(*) FROM rollcall.signing_keys"); }
    static bool published(const SigningKeys& by, const std::string& kid) {
        const auto set = crypto::JwkSet::parse(by.jwks());
        return set && set->find(kid) != nullptr;
    }
    std::string active_kid(SigningKeys& of) {
        run(of.refresh());
        const auto* const key = of.active();
        return key == nullptr ? "none" : key->kid();
    }

    SigningKeysConfig config;
    std::deque<MetricsRegistry> registries;
    std::vector<std::unique_ptr<SigningKeys>> keys;
};

TEST_F(GateSigningKeysTest, TheFirstSignsAtOnceAndAllInstancesHaveIt) {
    SigningKeys& one = instance();
    SigningKeys& two = instance();
    ASSERT_NE(one.active(), nullptr);
    ASSERT_NE(two.active(), nullptr);
    EXPECT_EQ(one.active()->kid(), two.active()->kid());
    EXPECT_EQ(one.jwks(), two.jwks());
    EXPECT_EQ(count(), "1");
    EXPECT_THAT(one.jwks(), Not(HasSubstr("\"d\"")));
    EXPECT_THAT(registries.front().render(),
                HasSubstr("rollcall_gate_signing_keys{state=\"active\"} 1"));
    // What one signs the other's key set verifies, and so after a restart.
    EXPECT_EQ(instance().active()->kid(), one.active()->kid());
}

TEST_F(GateSigningKeysTest, ManyThatStartAtOnceMakeOne) {
    for (int i = 0; i < 8; ++i) {
        registries.emplace_back();
        keys.push_back(
            std::make_unique<SigningKeys>(io.get_executor(), pool, config, registries.back()));
    }
    std::vector<Task<>> starts;
    for (const auto& one : keys) starts.push_back(one->refresh());
    run(together(std::move(starts)));
    EXPECT_EQ(count(), "1");
    for (const auto& one : keys) EXPECT_EQ(active_kid(*one), active_kid(*keys.front()));
}

TEST_F(GateSigningKeysTest, WhoIsAboutToMakeTheSameOneWaitsAndMakesNone) {
    const auto add = [this](pg::Transaction& other) -> Task<> {
        const auto key = crypto::SigningKey::make();
        const Secret pem = key.to_pem();
        co_await other.execute(sql::signing_key_add, pg::Params()
                                                         .text(key.kid())
                                                         .text(pem.reveal())
                                                         .bigint(config.lifetime.count())
                                                         .bigint(config.published_ahead.count()));
    };
    registries.emplace_back();
    SigningKeys late(io.get_executor(), pool, config, registries.back());
    {
        pg::Transaction other = run(pool.begin());
        run(add(other));
        bool ended = false;
        asio::co_spawn(io, late.refresh(), [&](const std::exception_ptr& failure) {
            EXPECT_FALSE(failure);
            ended = true;
        });
        EXPECT_TRUE(wait_until([&] {
            return ended || sql("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0";
        }));
        EXPECT_FALSE(ended);
        run(other.commit());
        EXPECT_TRUE(wait_until([&] { return ended; }));
    }
    EXPECT_EQ(count(), "1");
    ASSERT_NE(late.active(), nullptr);
    EXPECT_EQ(late.active()->kid(), sql("SELECT kid FROM rollcall.signing_keys"));
}

TEST_F(GateSigningKeysTest, EachIsPublishedBeforeItSignsAndAfter) {
    SigningKeys& keys = instance();
    const std::string first = active_kid(keys);
    pass(30 * 24h - 1h - 60s);
    EXPECT_EQ(active_kid(keys), first);
    EXPECT_EQ(count(), "1");

    pass(120s);  // an hour, less a minute, before it is followed
    EXPECT_EQ(active_kid(keys), first);
    EXPECT_EQ(count(), "2");
    const std::string second =
        sql("SELECT kid FROM rollcall.signing_keys ORDER BY generation DESC LIMIT 1");
    ASSERT_NE(second, first);
    EXPECT_TRUE(published(keys, second));
    EXPECT_THAT(keys.status(), HasSubstr("\"state\":\"next\""));
    // An instance that comes to it now sees the same, and makes none.
    EXPECT_EQ(active_kid(instance()), first);
    EXPECT_EQ(count(), "2");

    pass(1h);
    EXPECT_EQ(active_kid(keys), second);
    EXPECT_TRUE(published(keys, first));
    EXPECT_THAT(keys.status(), HasSubstr("\"state\":\"retiring\""));

    pass(30min);
    EXPECT_EQ(active_kid(keys), second);
    EXPECT_TRUE(published(keys, first));

    pass(31min);
    EXPECT_EQ(active_kid(keys), second);
    EXPECT_FALSE(published(keys, first));
    EXPECT_TRUE(published(keys, second));
    EXPECT_EQ(count(), "1");
}

TEST_F(GateSigningKeysTest, AfterALongSleepTheOldOneSignsUntilItsFollowerIsKnown) {
    const std::string first = active_kid(instance());
    pass(400 * 24h);
    SigningKeys& awake = instance();
    EXPECT_EQ(active_kid(awake), first);
    EXPECT_EQ(count(), "2");
    pass(59min);
    EXPECT_EQ(active_kid(awake), first);
    pass(2min);
    EXPECT_NE(active_kid(awake), first);
    EXPECT_TRUE(published(awake, first));
}

TEST_F(GateSigningKeysTest, ARowThatIsNoKeySignsNothingAndHarmsNoOther) {
    SigningKeys& keys = instance();
    sql("UPDATE rollcall.signing_keys SET private_key = 'nonsense'");
    EXPECT_EQ(active_kid(keys), "none");
    EXPECT_EQ(keys.jwks(), "");
    sql("DELETE FROM rollcall.signing_keys");
    EXPECT_NE(active_kid(keys), "none");
}

TEST_F(GateSigningKeysTest, WhatIsKnownGoesOnWhileTheTableCannotBeRead) {
    SigningKeys& keys = instance();
    const std::string kid = keys.active()->kid();
    sql("ALTER TABLE rollcall.signing_keys RENAME TO elsewhere");
    EXPECT_ANY_THROW(run(keys.refresh()));
    sql("ALTER TABLE rollcall.elsewhere RENAME TO signing_keys");
    ASSERT_NE(keys.active(), nullptr);
    EXPECT_EQ(keys.active()->kid(), kid);
    EXPECT_EQ(active_kid(keys), kid);
}

TEST_F(GateSigningKeysTest, NobodyElseMayReadThem) {
    instance();
    for (const std::string role : {"anon", "authenticated", "service_role"}) {
        EXPECT_EQ(sql(fmt::format("SELECT has_table_privilege('{}', 'rollcall.signing_keys', "
                                  "'SELECT, INSERT, UPDATE, DELETE')",
                                  role)),
                  "f")
            << role;
    }
}

TEST_F(GateSigningKeysTest, TheLoopTurnsThemAndStops) {
    config.interval = 10ms;
    registries.emplace_back();
    SigningKeys keys(io.get_executor(), pool, config, registries.back());
    EXPECT_EQ(keys.active(), nullptr);
    keys.start();
    EXPECT_TRUE(wait_until([&] { return keys.active() != nullptr; }));
    const std::string first = keys.active()->kid();
    pass(30 * 24h - 30min);
    EXPECT_TRUE(wait_until([&] { return count() == "2"; }));
    pass(61min);
    EXPECT_TRUE(wait_until([&] { return keys.active()->kid() != first; }));
    EXPECT_TRUE(run(keys.stop(test::deadline)));
}

TEST_F(GateSigningKeysTest, TheStatementsSuitTheSchema) {
    for (const auto& statement :
         {sql::signing_keys, sql::signing_key_add, sql::signing_keys_remove}) {
        EXPECT_NO_THROW(sql(fmt::format("PREPARE {} AS {}", statement.name, statement.text)))
            << statement.name;
    }
}

}  // namespace
}  // namespace rollcall::gate
