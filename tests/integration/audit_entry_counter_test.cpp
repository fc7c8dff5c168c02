// What rollcall_audit_events_total tells of the entries that others add, too.
#include "audit/audit_log.hpp"
#include "audit/entry_counter.hpp"
#include "migrated_fixture.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

namespace rollcall::audit {
namespace {

using testing::HasSubstr;

class AuditEntryCounter : public test::MigratedTest {
protected:
    AuditEntryCounter() : MigratedTest("public.job_queue") { add("before"); }

    void add(const std::string& action, std::string_view at = "clock_timestamp()") const {
        sql(
            fmt::format("INSERT INTO rollcall.audit_log (at, actor, action) "
                        "VALUES ({}, 'sql', '{}')",
                        at, action));
    }
    [[nodiscard]] bool counts(std::string_view action, int count) const {
        const std::string line =
            fmt::format("\nrollcall_audit_events_total{{action=\"{}\"}} {}\n", action, count);
        return registry.render().find(line) != std::string::npos;
    }

    EntryCounter counter{pool, registry};
};

TEST_F(AuditEntryCounter, EveryActionIsThereFromTheStart) {
    for (const std::string_view action : actions) EXPECT_TRUE(counts(action, 0)) << action;
    EXPECT_TRUE(counts("other", 0));
}

TEST_F(AuditEntryCounter, CountsWhatIsAddedFromTheFirstLookOn) {
    EXPECT_EQ(run(counter.look()), 0);
    add("job.retry");
    add("user.erase");
    add("job.retry");
    add("somebody.else");
    EXPECT_EQ(run(counter.look()), 4);
    run(counter.look());
    EXPECT_TRUE(counts("job.retry", 2));
    EXPECT_TRUE(counts("user.erase", 1));
    EXPECT_TRUE(counts("other", 1));
    EXPECT_TRUE(counts("migrate", 0));
}

TEST_F(AuditEntryCounter, AnEntryThatIsSeenAfterALaterOneCounts) {
    run(counter.look());
    pg::Transaction open = run(pool.begin());
    run(record(open, {}, {.action = "config.reload"}));
    add("job.retry");
    run(counter.look());
    EXPECT_TRUE(counts("config.reload", 0));
    run(open.commit());
    run(counter.look());
    EXPECT_TRUE(counts("config.reload", 1));
    EXPECT_TRUE(counts("job.retry", 1));
}

TEST_F(AuditEntryCounter, WhatIsOldIsNotReadAgain) {
    run(counter.look());
    add("job.retry", "now() - interval '2 minutes'");
    EXPECT_EQ(run(counter.look()), 1);
    EXPECT_EQ(run(counter.look()), 0);
    EXPECT_TRUE(counts("job.retry", 1));
}

TEST_F(AuditEntryCounter, ManyAtOnceAreTakenInPieces) {
    run(counter.look());
    sql(
        fmt::format("INSERT INTO rollcall.audit_log (actor, action) "
                    "SELECT 'sql', 'job.cancel' FROM generate_series(1, {})",
                    2 * EntryCounter::batch + 1));
    EXPECT_EQ(run(counter.look()), EntryCounter::batch);
    EXPECT_EQ(run(counter.look()), EntryCounter::batch);
    EXPECT_EQ(run(counter.look()), 1);
    EXPECT_TRUE(counts("job.cancel", 2 * EntryCounter::batch + 1));
}

// The one list is the other.
TEST(AuditActions, AreThoseOfTheManual) {
    std::ifstream file(ROLLCALL_SOURCE_DIR "/docs/audit.md");
    const std::string manual((std::istreambuf_iterator<char>(file)), {});
    for (const std::string_view action : actions) {
        EXPECT_THAT(manual, HasSubstr(fmt::format("`{}`", action)));
    }
}

}  // namespace
}  // namespace rollcall::audit
