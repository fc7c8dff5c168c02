// Users of whom nothing was known go in all together, or, when something is known by then, not at
// all: then the ordinary way says who is who.
#include "directory_fixture.hpp"

namespace rollcall::directory {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class DirectoryNewcomers : public DirectoryTest {
protected:
    static Snapshot snapshot(std::int64_t version, std::optional<std::string> email) {
        return {.version = version,
                .email = std::move(email),
                .name = "Ann",
                .role = "admin",
                .banned = true,
                .locked = false,
                .clerk_created_at = SystemTime(std::chrono::milliseconds(10))};
    }
    Read listed(std::string clerk_id, std::optional<std::string> email = std::nullopt) {
        return {.clerk_id = std::move(clerk_id),
                .state = snapshot(1000, std::move(email)),
                .asked_at = later()};
    }
    // The rows made; -1 when it was refused, and nothing is changed then.
    std::int64_t add(const std::vector<Read>& reads) {
        const std::string before = everything();
        const auto added = run(directory->add(pool, reads));
        if (added) return added->rows;
        EXPECT_EQ(everything(), before);
        return -1;
    }
    std::vector<Outcome> apply(const std::vector<Read>& reads) { return run(apply_all(reads)); }
    Task<std::vector<Outcome>> apply_all(const std::vector<Read>& reads) {
        pg::Transaction tx = co_await directory->begin(pool);
        const auto applied = co_await directory->apply(tx, reads);
        if (!applied) throw std::runtime_error(applied.error().what());
        co_await tx.commit();
        std::vector<Outcome> out;
        for (const AppliedRead& one : *applied) out.push_back(one.outcome);
        co_return out;
    }
    std::vector<bool> newcomers(const std::vector<Read>& reads) {
        std::vector<bool> out;
        for (const Deviation& one :
             run(directory->comparison().compare(pool, reads, std::nullopt, {})).deviations) {
            out.push_back(one.newcomer);
        }
        return out;
    }
    std::string everything() const {
        return sql("SELECT coalesce(string_agg(u::text, ';' ORDER BY id), '') FROM users u") +
               sql("SELECT coalesce(string_agg(l::text, ';' ORDER BY clerk_id), '') "
                   "FROM rollcall.ledger l");
    }
    // What both tables have of the users, without what differs from run to run.
    std::string written() const {
        return sql(
            "SELECT string_agg(concat_ws('|', l.clerk_id, l.version, l.content_hash, "
            "l.dated_by_clerk, l.banned, l.locked, l.clerk_created_at, l.deleted_at, "
            "l.deletion_seen_at, l.lifted_at, l.arrived_at = l.changed_at, l.arrived_as, "
            "u.id = l.user_id, u.email, u.name, u.role, u.deleted_at, "
            "u.updated_at = u.created_at), E'\\n' ORDER BY l.clerk_id) "
            "FROM rollcall.ledger l JOIN users u USING (clerk_id)");
    }
};

TEST_F(DirectoryNewcomers, EndAsIfTheyHadBeenApplied) {
    const std::vector<Read> page{listed("user_b", "b@example.com"), listed("user_a")};
    EXPECT_THAT(newcomers(page), ElementsAre(true, true));
    EXPECT_EQ(add(page), 2);
    EXPECT_EQ(sql("SELECT count(DISTINCT id) FROM users "
                  "WHERE id::text ~ '^0[0-9a-f]{7}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]'"),
              "2");  // of version 7
    const std::string added = written();
    EXPECT_THAT(added, HasSubstr("b@example.com"));
    EXPECT_THAT(newcomers(page), ElementsAre());
    sql("DELETE FROM users; DELETE FROM rollcall.ledger");
    EXPECT_THAT(apply(page), ElementsAre(Outcome::applied, Outcome::applied));
    EXPECT_EQ(written(), added);
}

TEST_F(DirectoryNewcomers, AreThoseWhomNeitherLedgerNorTableNorAnAddressKnows) {
    EXPECT_TRUE(run(directory->comparison().blank(pool)));
    tell({.clerk_id = "user_gone", .version = 10, .deletion = true});
    EXPECT_FALSE(run(directory->comparison().blank(pool)));
    sql("DELETE FROM rollcall.ledger WHERE clerk_id = 'user_gone'; "
        "INSERT INTO users (clerk_id, email, \"updatedAt\") VALUES "
        "('user_row', NULL, now()), (NULL, 'taken@example.com', now())");
    EXPECT_FALSE(run(directory->comparison().blank(pool)));
    tell({.clerk_id = "user_gone", .version = 10, .deletion = true});
    EXPECT_THAT(newcomers({listed("user_gone"), listed("user_row"),
                           listed("user_claims", "taken@example.com"),
                           listed("user_new", "free@example.com")}),
                ElementsAre(false, false, false, true));
}

TEST_F(DirectoryNewcomers, ANewerEventInBetweenIsNotOverwritten) {
    const std::vector<Read> page{listed("user_a"), listed("user_b")};
    tell({.clerk_id = "user_b", .version = 5000, .name = "Newer"});
    EXPECT_EQ(add(page), -1);
    EXPECT_THAT(apply(page), ElementsAre(Outcome::applied, Outcome::superseded));
    EXPECT_EQ(row("user_b"), "Newer|-|user|alive");
}

TEST_F(DirectoryNewcomers, ATombstoneInBetweenStays) {
    const std::vector<Read> page{listed("user_a"), listed("user_b")};
    tell({.clerk_id = "user_b", .version = 5000, .deletion = true});
    EXPECT_EQ(add(page), -1);
    apply(page);
    EXPECT_EQ(row("user_a"), "Ann|-|admin|alive");
    EXPECT_EQ(row("user_b"), "Ann|-|admin|deleted");
}

TEST_F(DirectoryNewcomers, AnAddressTakenInBetweenIsAConflict) {
    const std::vector<Read> page{listed("user_a"), listed("user_b", "b@example.com")};
    tell({.clerk_id = "user_c", .version = 1000, .email = "b@example.com"});
    EXPECT_EQ(add(page), -1);
    EXPECT_THAT(apply(page), ElementsAre(Outcome::applied, Outcome::conflict));
}

TEST_F(DirectoryNewcomers, OneAddressOfTwoOfThemIsAConflict) {
    const std::vector<Read> page{listed("user_a", "x@example.com"),
                                 listed("user_b", "x@example.com")};
    EXPECT_EQ(add(page), -1);
    EXPECT_THAT(apply(page), ElementsAre(Outcome::applied, Outcome::conflict));
}

TEST_F(DirectoryNewcomers, ARowMadeByHandInBetweenIsAdopted) {
    const std::vector<Read> page{listed("user_a")};
    sql("INSERT INTO users (clerk_id, name, \"updatedAt\") VALUES ('user_a', 'Hand', now())");
    EXPECT_EQ(add(page), -1);
    EXPECT_THAT(apply(page), ElementsAre(Outcome::applied));
    EXPECT_EQ(row(), "Ann|-|admin|alive");
}

TEST_F(DirectoryNewcomers, TheLedgerKnowsTheIdThatATriggerGave) {
    sql("CREATE FUNCTION own_id() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF new.clerk_id = 'user_none' THEN RETURN NULL; END IF; "
        "new.id := '00000000-0000-0000-0000-00000000000a'; RETURN new; END $$; "
        "CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION own_id()");
    EXPECT_EQ(add({listed("user_a"), listed("user_none")}), 1);
    EXPECT_EQ(sql("SELECT user_id FROM rollcall.ledger WHERE clerk_id = 'user_a'"),
              "00000000-0000-0000-0000-00000000000a");
    EXPECT_EQ(row("user_none"), "");
}

TEST_F(DirectoryNewcomers, ANameIsCutAsElsewhere) {
    Read ann = listed("user_a");
    std::get<Snapshot>(ann.state).name = std::string(3000, 'n');
    EXPECT_EQ(add({ann}), 1);
    EXPECT_THAT(apply({ann}), ElementsAre(Outcome::unchanged));
}

class DirectoryNewcomersAdopted : public DirectoryNewcomers {
protected:
    DirectoryNewcomersAdopted() {
        sql("CREATE SCHEMA app; CREATE TYPE app.rank AS ENUM ('user', 'admin'); "
            "CREATE TABLE app.\"People\" (\"Key\" uuid PRIMARY KEY, clerk varchar(64) UNIQUE, "
            "mail varchar(200), full_name text NOT NULL DEFAULT 'nobody', kind app.rank NOT NULL, "
            "plan text NOT NULL DEFAULT 'free', made timestamp NOT NULL); "
            "CREATE UNIQUE INDEX ON app.\"People\" (lower(mail))");
        config.columns.table = "app.People";
        config.columns.id = "Key";
        config.columns.clerk_id = "clerk";
        config.columns.email = "mail";
        config.columns.name = "full_name";
        config.columns.role = "kind";
        config.columns.created_at = {"made"};
        config.columns.updated_at = {};
        config.columns.deleted_at = "";
        config.columns.delete_mode = DeleteMode::hard;
        open();
    }
    std::string people() const {
        return sql(
            "SELECT coalesce(string_agg(concat_ws('|', clerk, mail, full_name, kind, plan), "
            "';' ORDER BY clerk), '') FROM app.\"People\"");
    }
};

TEST_F(DirectoryNewcomersAdopted, GoIntoATableOfOtherNamesAndTypes) {
    EXPECT_TRUE(run(directory->comparison().blank(pool)));
    const auto added = run(directory->add(
        pool, std::vector<Read>{listed("user_a", "A@example.com"), listed("user_b")}));
    ASSERT_TRUE(added) << added.error().what();
    EXPECT_EQ(added->rows, 2);
    EXPECT_EQ(people(), "user_a|A@example.com|Ann|admin|free;user_b|Ann|admin|free");
    EXPECT_FALSE(run(directory->comparison().blank(pool)));
    EXPECT_THAT(newcomers({listed("user_c", "a@EXAMPLE.com")}), ElementsAre(false));
}

TEST_F(DirectoryNewcomersAdopted, AreRefusedTogetherWhenTheTableDoesNotTakeOne) {
    Read nameless = listed("user_b");
    std::get<Snapshot>(nameless.state).name.reset();
    EXPECT_FALSE(run(directory->add(pool, std::vector<Read>{listed("user_a"), nameless})));
    EXPECT_EQ(people(), "");
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.ledger"), "0");
}

}  // namespace
}  // namespace rollcall::directory
