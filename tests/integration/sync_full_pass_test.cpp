// A complete pass: whatever the table was before, it equals Clerk afterwards.
#include "polling_fixture.hpp"

namespace rollcall::sync {
namespace {

using testing::HasSubstr;

class SyncFullPass : public PollingTest {};

TEST_F(SyncFullPass, FillsAnEmptyTable) {
    fill(730);
    const RunSummary run = full();
    EXPECT_EQ(run.status, RunStatus::completed) << run.error.value_or("");
    EXPECT_EQ(run.seen, 730);
    EXPECT_EQ(run.created, 730);
    EXPECT_EQ(run.found.missing, 730);
    EXPECT_EQ(table(), truth());
    EXPECT_EQ(last_run("status, mode, trigger, seen, created, requests = " +
                       std::to_string(run.requests)),
              "completed full cli 730 730 t");
}

TEST_F(SyncFullPass, AnEmptyTableTakesWholePagesOfNewRows) {
    fill(730);
    sql("CREATE FUNCTION no_upsert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF current_query() ~ 'ON CONFLICT .\"?clerk_id' THEN RAISE 'an upsert'; END IF; "
        "RETURN NULL; "
        "END $$; CREATE TRIGGER t BEFORE INSERT ON users "
        "FOR EACH STATEMENT EXECUTE FUNCTION no_upsert()");
    const RunSummary run = full();
    EXPECT_EQ(run.status, RunStatus::completed) << run.error.value_or("");
    EXPECT_EQ(run.created, 730);
    EXPECT_EQ(table(), truth());
    for (int i = 730; i < 1200; ++i) {
        clerk.add(fmt::format("user_{:05}", i), 1'600'000'000'000 + i * 1'000LL);
    }
    const RunSummary more = full();
    EXPECT_EQ(more.status, RunStatus::completed) << more.error.value_or("");
    EXPECT_EQ(more.created, 470);
    EXPECT_EQ(table(), truth());
}

// By events that are worked off while the first pass fills the table.
TEST_F(SyncFullPass, WhoeverComesWhileAnEmptyTableIsFilledIsNotOverrun) {
    fill(730);
    clerk.before_list = [&](const clerk::UserQuery& query) {
        if (query.limit < settings.page_users) return;
        clerk.before_list = nullptr;
        sql("INSERT INTO rollcall.ledger (clerk_id, version, content_hash, user_id) SELECT "
            "'user_00300', 1900000000000, 7, gen_random_uuid(); "
            "INSERT INTO users (id, clerk_id, name, \"updatedAt\") SELECT user_id, clerk_id, "
            "'Newer', now() FROM rollcall.ledger; "
            "INSERT INTO rollcall.ledger (clerk_id, user_id, deleted_at, deletion_seen_at) "
            "VALUES ('user_00400', gen_random_uuid(), now(), clock_timestamp()); "
            "INSERT INTO users (email, name, \"updatedAt\") "
            "VALUES ('user_00500@example.com', 'From before', now()); "
            "INSERT INTO rollcall.ledger (clerk_id, version, user_id, clerk_created_at) "
            "VALUES ('user_stranger', 1, gen_random_uuid(), to_timestamp(1600000600.5))");
    };
    const RunSummary run = full();
    EXPECT_EQ(run.status, RunStatus::completed) << run.error.value_or("");
    EXPECT_EQ(run.seen, 730);
    EXPECT_EQ(row("user_00300"), "Newer|-|user|alive");
    EXPECT_EQ(row("user_00500"), "Ann user_00500|user_00500@example.com|user|alive");
    // Also user_00400: Clerk was asked after the tombstone was known, and has the user.
    EXPECT_EQ(sql("SELECT count(*) FROM users WHERE clerk_id LIKE 'user_00%' "
                  "AND deleted_at IS NULL"),
              "730");
    EXPECT_EQ(run.deleted, 1);  // the stranger: absent from where Clerk would list it
}

TEST_F(SyncFullPass, ASecondPassWritesNoRow) {
    fill(730);
    full();
    const std::string before = rows_as_stored();
    const RunSummary again = full();
    EXPECT_EQ(rows_as_stored(), before);
    EXPECT_EQ(again.status, RunStatus::completed) << again.error.value_or("");
    EXPECT_EQ(again.unchanged, 730);
    EXPECT_EQ(again.created + again.updated + again.deleted + again.restored, 0);
    EXPECT_TRUE(again.found.none());
}

TEST_F(SyncFullPass, BringsAStaleTableUpToDate) {
    fill(120);
    full();
    for (int i = 0; i < 120; i += 7) clerk.rename(fmt::format("user_{:05}", i), "New name");
    clerk.users.erase("user_00011");
    clerk.users.erase("user_00119");
    clerk.add("user_later", 1'800'000'000'000);
    const RunSummary run = full();
    EXPECT_EQ(run.status, RunStatus::completed) << run.error.value_or("");
    EXPECT_EQ(run.updated, run.found.stale);
    EXPECT_EQ(run.created, 1);
    EXPECT_EQ(run.deleted, 2);
    EXPECT_EQ(run.found.extra, 2);
    EXPECT_EQ(table(), truth());
}

TEST_F(SyncFullPass, AnOldBackupConverges) {
    fill(100);
    full();
    sql("CREATE TABLE old_users AS TABLE users; CREATE TABLE old_ledger AS TABLE rollcall.ledger");
    clerk.rename("user_00001", "Changed since");
    clerk.users.erase("user_00002");
    clerk.add("user_new", 1'700'000'000'000);
    full();
    sql("TRUNCATE users, rollcall.ledger; INSERT INTO users TABLE old_users; "
        "INSERT INTO rollcall.ledger TABLE old_ledger");
    EXPECT_EQ(full().status, RunStatus::completed);
    EXPECT_EQ(table(), truth());
    const std::string before = rows_as_stored();
    full();
    EXPECT_EQ(rows_as_stored(), before);
}

TEST_F(SyncFullPass, RepairsWhatWasDoneByHand) {
    fill(60);
    full();
    sql("UPDATE users SET name = 'By hand' WHERE clerk_id = 'user_00003'");
    sql("UPDATE users SET deleted_at = now() WHERE clerk_id = 'user_00004'");
    sql("DELETE FROM users WHERE clerk_id = 'user_00005'");
    sql("INSERT INTO users (clerk_id, name, \"updatedAt\") VALUES ('user_stranger', 'S', now())");
    clerk.users.erase("user_00006");
    tell({.clerk_id = "user_00006", .version = clerk.clock_ms, .deletion = true});
    sql("UPDATE users SET deleted_at = NULL WHERE clerk_id = 'user_00006'");
    const RunSummary run = full();
    EXPECT_EQ(run.status, RunStatus::completed) << run.error.value_or("");
    EXPECT_EQ(table(), truth());
    EXPECT_EQ(run.found.missing, 1);
    EXPECT_EQ(run.found.stale, 2);
    EXPECT_EQ(run.found.extra, 2);
    EXPECT_EQ(run.deleted, 2);
}

TEST_F(SyncFullPass, RowsWithoutATimeOfCreationAreFoundToo) {
    fill(40);
    full();
    sql("UPDATE rollcall.ledger SET clerk_created_at = NULL");
    clerk.users.erase("user_00020");
    const RunSummary run = full();
    EXPECT_EQ(run.deleted, 1) << run.error.value_or("");
    EXPECT_EQ(table(), truth());
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.ledger WHERE clerk_created_at IS NULL "
                  "AND deleted_at IS NULL"),
              "0");
}

TEST_F(SyncFullPass, AWrongTimeOfCreationIsNoAbsence) {
    fill(200);
    full();
    sql("UPDATE rollcall.ledger SET clerk_created_at = clerk_created_at - interval '1 hour'");
    const RunSummary run = full();
    EXPECT_EQ(run.status, RunStatus::completed) << run.error.value_or("");
    EXPECT_EQ(run.deleted, 0);
    EXPECT_EQ(run.held_deletes, 0);
    EXPECT_EQ(table(), truth());
}

TEST_F(SyncFullPass, ManyShareOneMillisecond) {
    for (int i = 0; i < 333; ++i) clerk.add(fmt::format("user_{:05}", i), 1'650'000'000'000);
    for (const bool strict : {true, false}) {
        clerk.strict_bounds = strict;
        const RunSummary run = full();
        EXPECT_EQ(run.status, RunStatus::completed) << run.error.value_or("");
        EXPECT_EQ(run.seen, 333);
        EXPECT_EQ(table(), truth());
    }
    clerk.users.erase("user_00150");
    EXPECT_EQ(full().deleted, 1);
}

TEST_F(SyncFullPass, SwappedAddressesEndWhereClerkHasThem) {
    fill(120);
    full();
    std::swap(clerk.users["user_00001"].email, clerk.users["user_00110"].email);
    clerk.rename("user_00001", "One");
    clerk.rename("user_00110", "Two");
    const RunSummary run = full();
    EXPECT_EQ(run.status, RunStatus::completed) << run.error.value_or("");
    EXPECT_EQ(table(), truth());
}

TEST_F(SyncFullPass, ARowThatTheTableRefusesIsSaidSo) {
    fill(60);
    sql("ALTER TABLE users ADD CHECK (name <> 'Ann user_00007')");
    const RunSummary run = full();
    EXPECT_EQ(run.status, RunStatus::incomplete);
    EXPECT_EQ(run.failure, RunFailure::refused_rows);
    EXPECT_THAT(run.error.value_or(""), HasSubstr("user_00007"));
    EXPECT_EQ(run.created, 59);
    EXPECT_EQ(sql("SELECT watermark_ms IS NULL FROM rollcall.sync_state"), "t");
}

TEST_F(SyncFullPass, NobodyAtAllIsAPassToo) {
    const RunSummary run = full();
    EXPECT_EQ(run.status, RunStatus::completed) << run.error.value_or("");
    EXPECT_EQ(run.seen, 0);
}

struct Watching final : Progress {
    void advanced(const RunSummary& so_far, std::optional<std::int64_t> users) override {
        seen.push_back(so_far.seen);
        expected = users;
    }
    void differs(const Difference& difference) override {
        differences.push_back(to_text(difference));
    }
    std::vector<std::int64_t> seen;
    std::optional<std::int64_t> expected;
    std::vector<std::string> differences;
};

TEST_F(SyncFullPass, ADryRunTellsAndWritesNothing) {
    fill(60);
    full();
    clerk.rename("user_00001", "Anne");
    clerk.users.erase("user_00002");
    clerk.add("user_new", 1'700'000'000'000);
    const std::string before = rows_as_stored();
    Watching watching;
    const RunSummary run = sync({.mode = RunMode::full, .dry_run = true}, &watching);
    EXPECT_EQ(run.status, RunStatus::completed) << run.error.value_or("");
    EXPECT_EQ(run.found.missing, 1);
    EXPECT_EQ(run.found.stale, 1);
    EXPECT_EQ(run.found.extra, 1);
    EXPECT_THAT(watching.differences,
                testing::UnorderedElementsAre(
                    "user_00001  different\n  name  \"Ann user_00001\" -> \"Anne\"",
                    "user_new  missing", "user_00002  extra"));
    EXPECT_EQ(watching.expected, 60);
    EXPECT_TRUE(std::ranges::is_sorted(watching.seen));
    EXPECT_EQ(rows_as_stored(), before);
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.sync_runs"), "1");
}

// Events of a user who is gone, which had waited, are applied between Clerk's answer and the
// deletion: after one the user is asked about again, in this pass; where they do not cease, the
// next one looks.
TEST_F(SyncFullPass, AnEventThatOvertakesADeletionDoesNotSaveARow) {
    fill(20);
    full();
    clerk.users.erase("user_00007");
    int events = 1;
    clerk.asked.clear();
    clerk.on_get = [&](const std::string& id) -> std::optional<Error> {
        if (events-- > 0) {
            sql("UPDATE rollcall.ledger SET version = version + 1, changed_at = clock_timestamp() "
                "WHERE clerk_id = '" +
                id + "'; UPDATE users SET name = 'Late' WHERE clerk_id = '" + id + "'");
        }
        return std::nullopt;
    };
    const RunSummary run = full();
    EXPECT_EQ(run.status, RunStatus::completed) << run.error.value_or("");
    EXPECT_EQ(run.deleted, 1);
    EXPECT_EQ(run.found.extra, 1);
    EXPECT_EQ(clerk.asked["user_00007"], 2);
    EXPECT_EQ(table(), truth());

    clerk.users.erase("user_00008");
    events = 1000;
    EXPECT_EQ(full().deleted, 0);
    EXPECT_EQ(clerk.asked["user_00008"], 3);
    events = 0;
    EXPECT_EQ(full().deleted, 1);
    EXPECT_EQ(table(), truth());
}

// Users come, change and go while the list is walked, before and behind the workers.
TEST_F(SyncFullPass, UsersMoveWhileItRuns) {
    const auto base = static_cast<std::uint64_t>(testing::UnitTest::GetInstance()->random_seed());
    for (std::uint64_t seed = base + 1; seed <= base + 12; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        Random random(seed);
        clerk.users.clear();
        sql("TRUNCATE users, rollcall.ledger, rollcall.sync_runs CASCADE; "
            "UPDATE rollcall.sync_state SET watermark_ms = NULL");
        fill(300);
        clerk.refuses_deleted_cursor = seed % 2 == 0;
        clerk.strict_bounds = seed % 3 != 0;
        EXPECT_EQ(full().status, RunStatus::completed);
        std::map<std::string, clerk::User> gone;
        int number = 0;
        clerk.before_list = [&](const clerk::UserQuery&) {
            const auto pick = [&] {
                return std::next(clerk.users.begin(),
                                 random.between(0, std::ssize(clerk.users) - 1));
            };
            if (random.between(0, 2) == 0 && gone.size() < 8) {
                const auto victim = pick();
                gone[victim->first] = victim->second;
                clerk.users.erase(victim);
            }
            if (random.between(0, 1) == 0) clerk.rename(pick()->first, "Moved");
            if (random.between(0, 2) == 0) {
                ++number;
                clerk.add(fmt::format("user_n{}", number), 1'700'000'000'000 + number);
            }
        };
        const RunSummary run = full();
        clerk.before_list = nullptr;
        // Nobody alive is deleted, whatever the run came to.
        for (const auto& [id, user] : clerk.users) {
            EXPECT_EQ(sql(fmt::format("SELECT count(*) FROM users WHERE clerk_id = '{}' "
                                      "AND deleted_at IS NOT NULL",
                                      id)),
                      "0")
                << id;
        }
        const RunSummary next = full();
        EXPECT_EQ(next.status, RunStatus::completed) << next.error.value_or("");
        EXPECT_EQ(table(), truth()) << "after " << to_json(run);
    }
}

}  // namespace
}  // namespace rollcall::sync
