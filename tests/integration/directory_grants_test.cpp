// Who is given a role beyond the default is told in the audit log, by whatever door it comes; who
// is not leaves nothing there.
#include "directory_fixture.hpp"

namespace rollcall::directory {
namespace {

int occurrences(std::string_view text, std::string_view part) {
    int count = 0;
    for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
    return count;
}

class DirectoryGrants : public DirectoryTest {
protected:
    // Of the entries, in order: "actor clerk_id role previous".
    [[nodiscard]] std::string granted() const {
        return sql(
            "SELECT coalesce(string_agg(concat_ws(' ', actor, target, detail ->> 'role', "
            "coalesce(detail ->> 'previous', '-')), '; ' ORDER BY id), '') "
            "FROM rollcall.audit_log WHERE action = 'role.granted'");
    }
    // What a complete pass found.
    void add(const std::string& clerk_id, const std::string& role) {
        const std::vector<Read> reads{{.clerk_id = clerk_id,
                                       .state = Snapshot{.version = 1000,
                                                         .email = std::nullopt,
                                                         .name = "Ann",
                                                         .role = role,
                                                         .banned = false,
                                                         .locked = false,
                                                         .clerk_created_at = std::nullopt},
                                       .asked_at = later()}};
        const auto added = run(directory->add(pool, reads));
        if (!added) throw std::runtime_error(added.error().what());
    }
};

TEST_F(DirectoryGrants, OrdinaryUsersLeaveNoEntry) {
    tell({.version = 1000});
    tell({.version = 2000, .name = "Anna"});
    tell({.version = 3000, .deletion = true});
    read({.clerk_id = "user_b", .version = 1000});
    read({.clerk_id = "user_b", .version = 2000, .name = "Bob"});
    read({.clerk_id = "user_b", .deletion = true});
    add("user_c", "user");
    EXPECT_EQ(granted(), "");
}

TEST_F(DirectoryGrants, AGrantIsToldOnceWithWhatWasThere) {
    tell({.version = 1000, .role = "admin"});
    tell({.version = 2000, .name = "Anna", .role = "admin"});  // has it already
    EXPECT_EQ(granted(), "sql user_a admin -");
    tell({.version = 3000, .role = "user"});
    tell({.version = 4000, .role = "admin"});
    EXPECT_EQ(granted(), "sql user_a admin -; sql user_a admin user");
}

TEST_F(DirectoryGrants, WhatIsNotWrittenGrantsNothing) {
    tell({.version = 5000});
    tell({.version = 4000, .role = "admin"});  // late, and superseded
    enqueue({.version = 6000, .role = "admin"});
    enqueue({.version = 7000});  // of one batch only the newest is written
    drain();
    tell({.version = 8000, .deletion = true});
    EXPECT_EQ(granted(), "");
}

TEST_F(DirectoryGrants, AnEventIsToldFromWhatSomebodyWroteIntoTheQueue) {
    const auto event = enqueue({.version = 1000, .role = "admin"});
    sql("UPDATE job_queue SET original_event = '{}'");
    const auto forged = enqueue({.clerk_id = "user_b", .version = 1000, .role = "admin"});
    drain();
    EXPECT_EQ(granted(), "webhook user_a admin -; sql user_b admin -");
    EXPECT_EQ(sql("SELECT string_agg(detail ->> 'job', ' ' ORDER BY id) FROM rollcall.audit_log"),
              event + " " + forged);
}

TEST_F(DirectoryGrants, ReadsAndPassesTellTheirsToo) {
    read({.version = 1000});
    read({.version = 2000, .role = "admin"});
    read({.version = 3000, .name = "Anna", .role = "admin"});
    add("user_b", "admin");
    add("user_c", "user");
    EXPECT_EQ(granted(), "system user_a admin user; system user_b admin -");
}

TEST_F(DirectoryGrants, ABatchThatIsRolledBackTellsNothing) {
    const auto id = enqueue({.version = 1000, .role = "admin"});
    run([&]() -> Task<> {
        pg::Transaction tx = co_await directory->begin(pool);
        const auto applied = co_await directory->apply_job(tx, id);
        EXPECT_TRUE(applied);
    }());
    EXPECT_EQ(granted(), "");
    drain();
    EXPECT_EQ(granted(), "sql user_a admin -");
}

class DirectoryWithoutRoles : public DirectoryGrants {
protected:
    DirectoryWithoutRoles() { config.columns.role = ""; }
};

TEST_F(DirectoryWithoutRoles, ATableWithoutARoleGrantsNone) {
    open();
    tell({.version = 1000, .role = "admin"});
    read({.clerk_id = "user_b", .version = 1000, .role = "admin"});
    add("user_c", "admin");
    EXPECT_EQ(granted(), "");
}

// Neither the row from before is looked up for ordinary users, nor anything else.
TEST_F(DirectoryGrants, OrdinaryUsersCostAComparison) {
    std::string apply;
    for (const auto& [name, text] : directory->statements()) {
        if (name == "apply_one") apply = text;
    }
    // How many of the look-ups of that part of the plan ran.
    const auto looks = [&](const std::string& role) {
        const auto id = enqueue({.clerk_id = "user_" + role, .version = 1000, .role = role});
        std::string plan = sql(fmt::format(
            "PREPARE apply AS {}; EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE apply('{}')", apply, id));
        plan = plan.substr(plan.find(R"("CTE granted")"));
        plan = plan.substr(0, plan.find(R"("Subplan Name": "CTE )"));
        return occurrences(plan, R"("Parent Relationship": "SubPlan")") -
               occurrences(plan, R"("Actual Loops": 0)");
    };
    EXPECT_EQ(looks("user"), 0);
    EXPECT_GT(looks("admin"), 0);
}

}  // namespace
}  // namespace rollcall::directory
