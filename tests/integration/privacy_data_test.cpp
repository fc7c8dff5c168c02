// A person's data is handed out whole, and after its removal stands in no text of any table.
#include "privacy/personal_data.hpp"

#include "directory_fixture.hpp"
#include "privacy/sql.hpp"

#include <boost/json.hpp>

namespace rollcall::privacy {
namespace {

namespace json = boost::json;
using directory::Outcome;
using directory::Told;
using testing::HasSubstr;
using testing::Not;

constexpr const char* email = "canary.person@example.com";
constexpr const char* name = "Canary Personova";
constexpr const char* bytes = "canary-unsafe-metadata";

class Privacy : public directory::DirectoryTest {
protected:
    explicit Privacy(directory::DirectoryConfig c = {.mirror = true})
        : DirectoryTest(std::move(c)), data(pool, config.columns) {
        tell(
            {.clerk_id = "user_other", .version = 1000, .email = "bob@example.com", .name = "Bob"});
        tell({.version = 1000, .email = email, .name = name});
        enqueue({.version = 2000, .email = email, .name = name});  // waits
        sql(
            fmt::format("UPDATE job_queue SET original_event = '{{\"data\":\"{}\"}}' "
                        "WHERE subject = 'user_a' AND job_type = 'USER_UPDATED'",
                        bytes));
        sql(
            fmt::format("INSERT INTO job_queue (job_type, status, subject, payload, error) VALUES "
                        "('USER_UPDATED', 'FAILED', 'user_a', jsonb_build_object('clerk_id', "
                        "'user_a', 'email', '{}', 'name', '{}'), 'refused')",
                        email, name));
        // Events that could not be read: one as text, one in base64, and another person's.
        const auto kept = [&](const std::string& id, const std::string& event) {
            sql(
                fmt::format("INSERT INTO job_queue (job_type, status, event_id, payload, "
                            "original_event) VALUES ('UNKNOWN_EVENT', 'FAILED', '{}', '{{}}', {})",
                            id, event));
        };
        const std::string text = fmt::format(R"({{"id":"user_a","mail":"{}"}})", email);
        kept("msg_1", "'" + text + "'");
        kept("msg_2", "'base64:' || translate(encode(convert_to('" + text +
                          "', 'UTF8'), 'base64'), E'\n', '')");
        kept("msg_3", "'{\"id\":\"user_other\"}'");
        sql("INSERT INTO rollcall.absences (clerk_id) VALUES ('user_a')");
    }

    // Every column of every table that holds `text`.
    [[nodiscard]] std::string places(const std::string& text) const {
        return sql(fmt::format(
            "SELECT coalesce(string_agg(place, ', '), '') FROM ("
            "SELECT c.table_schema || '.' || c.table_name || '.' || c.column_name AS place, "
            "query_to_xml(format('SELECT count(*) AS n FROM %I.%I WHERE strpos(%I::text, %L) > 0', "
            "c.table_schema, c.table_name, c.column_name, {}), true, true, '')::text AS found "
            "FROM information_schema.columns c JOIN information_schema.tables t "
            "USING (table_schema, table_name) WHERE t.table_type = 'BASE TABLE' "
            "AND c.table_schema IN ('public', 'rollcall')) p WHERE found !~ '<n>0</n>'",
            directory::quote_literal(text)));
    }
    Result<Erased> erase(RowErasure row = RowErasure::blank) {
        return run(data.erase("user_a", row, directory->outbox(),
                              {.kind = Actor::Kind::cli, .name = "operator"}));
    }
    [[nodiscard]] std::string entries(const std::string& action) const {
        return sql(
            fmt::format("SELECT coalesce(string_agg(concat_ws(' ', actor, actor_name, "
                        "detail), '; '), '') FROM rollcall.audit_log WHERE action = '{}' "
                        "AND target = 'user_a'",
                        action));
    }

    // Now, as Clerk dates what it writes.
    [[nodiscard]] std::int64_t erased_at() const {
        return std::stoll(sql("SELECT floor(extract(epoch FROM now()) * 1000)::bigint"));
    }

    PersonalData data;
};

TEST_F(Privacy, APersonIsFoundByEitherId) {
    EXPECT_EQ(run(data.find("user_a")), "user_a");
    EXPECT_EQ(run(data.find(sql("SELECT id FROM users WHERE clerk_id = 'user_a'"))), "user_a");
    EXPECT_EQ(run(data.find("user_nobody")), std::nullopt);
    sql("DELETE FROM users; DELETE FROM rollcall.ledger");
    EXPECT_EQ(run(data.find("user_a")), "user_a");  // by jobs alone
}

TEST_F(Privacy, AnExportHasAllOfIt) {
    const auto text = run(data.export_of("user_a", {.kind = Actor::Kind::cli, .name = "operator"}));
    const json::object all = json::parse(text).as_object();
    EXPECT_EQ(all.at("row").at("email").as_string(), email);
    EXPECT_EQ(all.at("ledger").at("version").as_int64(), 1000);
    EXPECT_EQ(all.at("jobs").as_array().size(), 4U);  // with the mirror's
    EXPECT_EQ(all.at("events_for_review").as_array().size(), 2U);
    EXPECT_EQ(all.at("absences").as_array().size(), 1U);
    EXPECT_TRUE(all.at("mirror").is_null());
    EXPECT_EQ(all.at("audit_log").at(0).at("action").as_string(), "user.export");
    for (const auto* canary : {name, bytes}) EXPECT_THAT(text, HasSubstr(canary));
    EXPECT_THAT(text, testing::Not(HasSubstr("bob@example.com")));
    EXPECT_THAT(text, testing::Not(HasSubstr("operator")));
}

TEST_F(Privacy, AfterErasureNoTableHoldsAnyOfIt) {
    EXPECT_THAT(places(email), HasSubstr("public.users.email"));
    EXPECT_THAT(places(email), HasSubstr("public.job_queue.original_event"));
    const auto erased = erase();
    ASSERT_TRUE(erased) << erased.error().message;
    EXPECT_EQ(erased->rows, 1);
    EXPECT_EQ(erased->jobs, 3);
    EXPECT_EQ(erased->cancelled, 1);
    EXPECT_EQ(erased->events, 2);
    for (const auto* canary : {email, name, bytes}) EXPECT_EQ(places(canary), "") << canary;
    EXPECT_EQ(row(), "-|-|user|deleted");
    EXPECT_EQ(row("user_other"), "Bob|bob@example.com|user|alive");
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE event_id = 'msg_3' AND "
                  "original_event IS NOT NULL"),
              "1");
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.absences"), "0");
    EXPECT_EQ(entries("user.erase"), R"(cli operator {"row": "blanked", "jobs": 3, "events": 2, )"
                                     R"("cancelled": 1})");
    // The copy in Supabase Auth goes by its job.
    EXPECT_EQ(sql("SELECT status FROM job_queue WHERE event_id = 'mirror:user_a'"), "PENDING");
    EXPECT_EQ(run(directory->outbox().row(pool, "user_a")).existence,
              directory::Existence::deleted);
}

TEST_F(Privacy, NothingThatComesLateBringsItBack) {
    const auto id = sql("SELECT id FROM users WHERE clerk_id = 'user_a'");
    ASSERT_TRUE(erase());
    tell({.version = 900, .email = email, .name = name});
    tell({.version = 1000, .email = email, .name = name});
    EXPECT_EQ(row(), "-|-|user|deleted");
    EXPECT_EQ(sql("SELECT id FROM users WHERE clerk_id = 'user_a'"), id);
    // Newer by Clerk's clock, and written before the erasure all the same: it waited in a spool, or
    // was sent again. So is what somebody dated ahead.
    tell({.version = 5000, .email = email, .name = name, .role = "admin"});
    tell({.version = erased_at() + 3'600'000, .email = email, .name = name}, "USER_CREATED");
    EXPECT_EQ(row(), "-|-|user|deleted");
    EXPECT_EQ(places(name), "public.job_queue.payload") << "until the hourly sweep";
    // Once more does no harm, and finds what came.
    EXPECT_EQ(erase()->jobs, 4);
    for (const auto* canary : {email, name}) EXPECT_EQ(places(canary), "") << canary;
}

// Beside any number of finished jobs.
TEST_F(Privacy, EventsKeptForReviewAreFoundByAnIndex) {
    const std::string plan =
        sql(fmt::format("SET enable_seqscan = off; PREPARE events AS {}; "
                        "EXPLAIN (FORMAT JSON) EXECUTE events('user_a')",
                        sql::blank_events.text));
    EXPECT_THAT(plan, HasSubstr("idx_job_queue_status"));
    EXPECT_THAT(plan, Not(HasSubstr("Seq Scan")));
}

TEST_F(Privacy, TheRowMayGoWhole) {
    ASSERT_TRUE(erase(RowErasure::remove));
    EXPECT_EQ(row(), "");
    EXPECT_EQ(places(email), "");
    EXPECT_EQ(sql("SELECT deleted_at IS NOT NULL FROM rollcall.ledger WHERE clerk_id = 'user_a'"),
              "t");
}

TEST_F(Privacy, ARowThatWentWholeStaysAway) {
    ASSERT_TRUE(erase(RowErasure::remove));
    tell({.version = 5000, .email = email, .name = name});
    tell({.version = erased_at() + 1000, .deletion = true});
    tell({.version = erased_at() + 2000, .email = email, .name = name}, "USER_CREATED");
    EXPECT_EQ(row(), "");
}

// Of whom nothing is kept but jobs, as where the database was restored from before they signed up.
TEST_F(Privacy, WhoHasNoRowAndNoLedgerStaysAwayToo) {
    sql("DELETE FROM users WHERE clerk_id = 'user_a'; "
        "DELETE FROM rollcall.ledger WHERE clerk_id = 'user_a'");
    ASSERT_TRUE(erase());
    tell({.version = 5000, .email = email, .name = name});
    EXPECT_EQ(row(), "");
}

// An answer of Clerk's that was asked for before the erasure, and one a moment after it, which may
// lag. A day later Clerk still has the user: who erased them was wrong, and the log tells.
TEST_F(Privacy, ClerkAloneBringsAPersonBackAndNotUnnoticed) {
    const auto before = later();
    ASSERT_TRUE(erase());
    read({.version = 9000, .email = email, .name = name}, before);
    read({.version = 9000, .email = email, .name = name});
    EXPECT_EQ(row(), "-|-|user|deleted");
    EXPECT_EQ(entries("user.returned"), "");
    sql("UPDATE rollcall.ledger SET changed_at = changed_at - interval '1 day 1 second', "
        "deletion_seen_at = deletion_seen_at - interval '1 day 1 second'");
    read({.version = 9000, .email = email, .name = name});
    EXPECT_EQ(row(), fmt::format("{}|{}|user|alive", name, email));
    EXPECT_EQ(entries("user.returned"), "system {}");
    tell({.version = 9500, .email = email, .name = "Newer"});
    EXPECT_EQ(row(), fmt::format("Newer|{}|user|alive", email)) << "followed as ever";
}

TEST_F(Privacy, WhatTheTableRefusesIsNotHalfDone) {
    sql("CREATE TABLE orders (buyer uuid REFERENCES users (id)); "
        "INSERT INTO orders SELECT id FROM users WHERE clerk_id = 'user_a'");
    const auto refused = erase(RowErasure::remove);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::conflict);
    EXPECT_THAT(refused.error().message, HasSubstr("orders"));
    EXPECT_THAT(places(bytes), HasSubstr("original_event"));
    EXPECT_EQ(entries("user.erase"), "");
    EXPECT_TRUE(erase());  // blanked, it may stay
}

}  // namespace
}  // namespace rollcall::privacy
