// What differs between the table and Clerk, found without a write.
#include "directory_fixture.hpp"

namespace rollcall::directory {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

SystemTime at(std::int64_t ms) {
    return SystemTime(std::chrono::milliseconds(ms));
}

class DirectoryCompare : public DirectoryTest {
protected:
    Read listed(const std::string& clerk_id, std::int64_t created_ms, std::int64_t version = 1000,
                std::optional<std::string> email = std::nullopt) {
        return {.clerk_id = clerk_id,
                .state = Snapshot{.version = version,
                                  .email = std::move(email),
                                  .name = "Ann",
                                  .role = "user",
                                  .banned = false,
                                  .locked = false,
                                  .clerk_created_at = at(created_ms)},
                .asked_at = run(database_now(pool))};
    }
    void apply(const std::vector<Read>& reads) { run(apply_all(reads)); }
    Task<> apply_all(const std::vector<Read>& reads) {
        pg::Transaction tx = co_await directory->begin(pool);
        const auto applied = co_await directory->apply(tx, reads);
        if (!applied) throw std::runtime_error(applied.error().what());
        co_await tx.commit();
    }
    Compared compare(const std::vector<Read>& reads,
                     const std::optional<CreationSpan>& span = std::nullopt,
                     const std::vector<std::string>& also = {}) {
        return run(directory->comparison().compare(pool, reads, span, also));
    }
    // A job as an application adds it: dated by when it was added, which is ahead of Clerk.
    void tell_undated(const std::string& name) {
        const std::string job = enqueue({.name = name});
        sql("UPDATE job_queue SET version = NULL WHERE id = '" + job + "'");
        drain();
    }
    // "name" of each field that differs, of the one deviation.
    std::vector<std::string> fields(const Read& read) {
        const auto found = compare({read}).deviations;
        if (found.size() != 1) return {std::to_string(found.size()) + " deviations"};
        std::vector<std::string> out{found.front().present ? "row" : "no row"};
        for (const auto& field : found.front().fields) {
            out.push_back(std::string(field.name) + "=" + field.value.value_or("NULL"));
        }
        return out;
    }
};

// By the same limits whichever way it came, or what was cut would be a difference for ever.
TEST_F(DirectoryCompare, WhatIsTooLongIsNoDifferenceOnceItIsCut) {
    std::string name;
    for (int i = 0; i < 1200; ++i) name += "\u00e9";  // two bytes each
    std::string cut = name.substr(0, 2000);
    const std::string email = std::string(1000, 'a') + "@example.com";
    for (const bool newcomer : {false, true}) {
        Read read = listed(newcomer ? "user_new" : "user_old", 10, 1000, email);
        std::get<Snapshot>(read.state).name = name;
        if (newcomer) {
            ASSERT_TRUE(run(directory->add(pool, {&read, 1})));
        } else {
            apply({read});
        }
        EXPECT_EQ(sql("SELECT name FROM users WHERE clerk_id = '" + read.clerk_id + "'"), cut);
        EXPECT_THAT(compare({read}).deviations, IsEmpty());
    }
    EXPECT_EQ(tell({.clerk_id = "user_old", .email = email, .name = name}), Outcome::unchanged);
    EXPECT_EQ(sql("SELECT count(*) FROM users WHERE email IS NOT NULL"), "0");
}

TEST_F(DirectoryCompare, WhatIsAsToldReturnsNothing) {
    const std::vector<Read> page{listed("user_a", 10, 1000, "a@example.com"), listed("user_b", 20)};
    EXPECT_EQ(compare(page).deviations.size(), 2U);
    apply(page);
    EXPECT_THAT(compare(page).deviations, IsEmpty());
}

TEST_F(DirectoryCompare, NamesTheFieldsOfARowThatWasEditedByHand) {
    const Read ann = listed("user_a", 10, 1000, "a@example.com");
    EXPECT_THAT(fields(ann), ElementsAre("no row"));
    apply({ann});
    sql("UPDATE users SET name = 'Bob', role = 'admin' WHERE clerk_id = 'user_a'");
    EXPECT_THAT(fields(ann), ElementsAre("row", "name=Bob", "role=admin"));
    sql("UPDATE users SET name = 'Ann', role = 'user', email = NULL, deleted_at = '2020-01-01Z'");
    EXPECT_THAT(fields(ann), ElementsAre("row", "email=NULL", testing::StartsWith("deleted_at=")));
    sql("DELETE FROM users");
    EXPECT_THAT(fields(ann), ElementsAre("no row"));
}

TEST_F(DirectoryCompare, TheLedgerLearnsWithoutADifference) {
    apply({listed("user_a", 10)});
    EXPECT_THAT(fields(listed("user_a", 11)), ElementsAre("row"));        // created at another time
    EXPECT_THAT(fields(listed("user_a", 10, 2000)), ElementsAre("row"));  // a newer version
    sql("DELETE FROM rollcall.ledger");
    EXPECT_THAT(fields(listed("user_a", 10)), ElementsAre("row"));
    apply({listed("user_a", 11)});
    EXPECT_THAT(compare({listed("user_a", 11)}).deviations, IsEmpty());
    apply({listed("user_a", 12)});
    EXPECT_THAT(compare({listed("user_a", 12)}).deviations, IsEmpty());
}

TEST_F(DirectoryCompare, ANewerEventOvertakesAPage) {
    const Read old = listed("user_a", 10);
    tell({.version = 5000, .name = "Newer"});
    EXPECT_THAT(compare({old}).deviations, IsEmpty());
}

TEST_F(DirectoryCompare, WhatTheApplicationMadeUpGivesWayToClerk) {
    tell_undated("Made up");
    const Read ann = listed("user_a", 10);
    EXPECT_THAT(fields(ann), ElementsAre("row", "name=Made up"));
    apply({ann});
    EXPECT_EQ(row(), "Ann|-|user|alive");
    EXPECT_THAT(compare({ann}).deviations, IsEmpty());
}

TEST_F(DirectoryCompare, AReadFromBeforeTheApplicationsChangeIsAskedAgain) {
    const SystemTime before = run(database_now(pool)) - 1s;
    tell_undated("Made up");
    EXPECT_EQ(read({.version = 1000}, before).outcome, Outcome::tie);
    EXPECT_EQ(read({.version = 1000}).outcome, Outcome::applied);
    EXPECT_EQ(read({.version = 900, .name = "Late"}).outcome, Outcome::superseded);
    EXPECT_EQ(row(), "Ann|-|user|alive");
    tell_undated("Made up");
    EXPECT_EQ(read({.deletion = true}).outcome, Outcome::deleted);
    EXPECT_TRUE(read({.version = 1000}).restored);
    EXPECT_EQ(row(), "Ann|-|user|alive");
}

TEST_F(DirectoryCompare, WhatClerkSaidGivesWayToAnOlderReadOnlyAfterADay) {
    tell({.version = 3000, .name = "Newest"});
    const auto hours_pass = [&](int hours) {
        sql(fmt::format("UPDATE rollcall.ledger SET changed_at = changed_at - interval '{} hours'",
                        hours));
    };
    hours_pass(23);
    const Read lagging = listed("user_a", 10, 1000);
    EXPECT_THAT(compare({lagging}).deviations, IsEmpty());
    apply({lagging});
    EXPECT_EQ(row(), "Newest|-|user|alive");
    EXPECT_EQ(tell({.version = 2000, .name = "Middle"}), Outcome::superseded);
    hours_pass(2);
    EXPECT_THAT(fields(lagging), ElementsAre("row", "name=Newest"));
    apply({lagging});
    EXPECT_EQ(row(), "Ann|-|user|alive");
    EXPECT_THAT(compare({lagging}).deviations, IsEmpty());
}

TEST_F(DirectoryCompare, AbsentIsWhoWasNotNamedInTheSpan) {
    apply({listed("user_a", 10), listed("user_b", 20), listed("user_c", 20), listed("user_d", 30)});
    const auto absent = [&](std::optional<std::int64_t> from, std::optional<std::int64_t> until) {
        const CreationSpan span{.from_us = from, .after_id = "", .until_us = until};
        return compare({listed("user_b", 20)}, span).absences.clerk_ids;
    };
    EXPECT_THAT(absent({}, {}), ElementsAre("user_a", "user_c", "user_d"));
    EXPECT_THAT(absent(20'000, 30'000), ElementsAre("user_c"));
    EXPECT_THAT(absent(10'000, 20'000), ElementsAre("user_a"));
    EXPECT_THAT(absent(10'001, 20'000), IsEmpty());
    EXPECT_THAT(
        compare({listed("user_b", 20)}, CreationSpan{}, {"user_a", "user_d"}).absences.clerk_ids,
        ElementsAre("user_c"));
    tell({.clerk_id = "user_c", .version = 9000, .deletion = true});
    EXPECT_THAT(absent({}, {}), ElementsAre("user_a", "user_d"));
}

TEST_F(DirectoryCompare, ManyAbsencesComeInPortions) {
    sql("INSERT INTO rollcall.ledger (clerk_id, version, user_id, clerk_created_at) "
        "SELECT 'user_' || lpad(i::text, 6, '0'), 1, gen_random_uuid(), to_timestamp(i / 1500) "
        "FROM generate_series(0, 2499) AS i");
    Absences part = compare({}, CreationSpan{}).absences;
    std::vector<std::string> all = part.clerk_ids;
    while (part.rest) {
        part = run(directory->comparison().absent(pool, *part.rest,
                                                  std::vector<std::string>{"user_002000"}));
        all.insert(all.end(), part.clerk_ids.begin(), part.clerk_ids.end());
    }
    EXPECT_EQ(all.size(), 2499U);
    EXPECT_TRUE(std::ranges::is_sorted(all));
    EXPECT_EQ(run(directory->comparison().active(pool)), 2500);
}

TEST_F(DirectoryCompare, StrangersAndTheUnplacedAreFound) {
    apply({listed("user_a", 10)});
    EXPECT_TRUE(run(directory->comparison().balanced(pool)));
    tell({.clerk_id = "user_b", .version = 10});  // without a time of creation
    tell({.clerk_id = "user_c", .version = 10});
    tell({.clerk_id = "user_c", .version = 11, .deletion = true});
    sql("UPDATE users SET deleted_at = NULL WHERE clerk_id = 'user_c'");  // by hand
    sql("INSERT INTO users (clerk_id, deleted_at, \"updatedAt\") VALUES ('user_d', NULL, now()), "
        "(NULL, NULL, now()), ('NULL', NULL, now()), ('user_e', now(), now())");
    EXPECT_FALSE(run(directory->comparison().balanced(pool)));
    EXPECT_THAT(run(directory->comparison().unplaced(pool, "")), ElementsAre("user_b"));
    EXPECT_THAT(run(directory->comparison().unplaced(pool, "user_b")), IsEmpty());
    const Strangers found = run(directory->comparison().strangers(pool, ""));
    EXPECT_THAT(found.clerk_ids, testing::UnorderedElementsAre("user_c", "user_d"));
    EXPECT_TRUE(run(directory->comparison().strangers(pool, found.last_id)).last_id.empty());
}

// The plan is made once, perhaps while the tables are small: it must not become a join that reads
// all of the ledger for each portion of the table.
TEST_F(DirectoryCompare, StrangersAreLookedUpOneByOne) {
    sql("INSERT INTO rollcall.ledger (clerk_id, version, user_id) "
        "SELECT 'user_' || i, 1, gen_random_uuid() FROM generate_series(1, 3000) AS i; "
        "INSERT INTO users (id, clerk_id, \"updatedAt\") "
        "SELECT user_id, clerk_id, now() FROM rollcall.ledger; ANALYZE users, rollcall.ledger");
    for (const auto& [name, text] : directory->statements()) {
        if (name != "strangers") continue;
        const std::string plan = sql("SET enable_seqscan = off; PREPARE strangers AS " + text +
                                     "; EXPLAIN (FORMAT JSON) EXECUTE "
                                     "strangers('00000000-0000-0000-0000-000000000000', 20000)");
        EXPECT_THAT(plan, testing::HasSubstr("ledger_pkey"));
        EXPECT_THAT(plan, testing::Not(testing::HasSubstr("Join"))) << plan;
    }
}

}  // namespace
}  // namespace rollcall::directory
