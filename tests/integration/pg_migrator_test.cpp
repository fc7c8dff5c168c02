#include "pg_fixture.hpp"

#include "base/log.hpp"
#include "pg/migrator.hpp"

namespace rollcall::pg {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PgMigrator : public PoolTest {
protected:
    Result<std::vector<std::string>> apply(const std::vector<EmbeddedFile>& files) {
        return run(Migrator(pool, files).apply());
    }
    Result<bool> up_to_date(const std::vector<EmbeddedFile>& files) {
        return run(Migrator(pool, files).up_to_date());
    }

    const log::Capture quiet;
    const std::vector<EmbeddedFile> two{
        {"0001_first.sql", "CREATE TABLE first (id int);\nINSERT INTO first VALUES (1);\n"},
        {"0002_second.sql",
         "CREATE TABLE second (word text);\n"
         "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$;\n"}};
};

TEST_F(PgMigrator, AppliesWhatIsMissingOnce) {
    EXPECT_EQ(up_to_date(two), false);
    auto status = run(Migrator(pool, two).status());
    ASSERT_TRUE(status.has_value());
    EXPECT_FALSE((*status)[0].applied);
    EXPECT_EQ(db.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'rollcall'"), "0");

    EXPECT_THAT(apply({two[0]}).value(), ElementsAre("0001_first"));
    EXPECT_EQ(up_to_date(two), false);
    EXPECT_THAT(apply(two).value(), ElementsAre("0002_second"));
    EXPECT_THAT(apply(two).value(), IsEmpty());
    EXPECT_EQ(up_to_date(two), true);
    EXPECT_EQ(db.sql("SELECT count(*) FROM first"), "1");

    status = run(Migrator(pool, two).status());
    ASSERT_EQ(status->size(), 2U);
    EXPECT_EQ((*status)[1].name, "0002_second");
    EXPECT_TRUE((*status)[1].applied);
    EXPECT_THAT((*status)[1].applied_at,
                testing::MatchesRegex("20[0-9-]+T[0-9:]+\\.[0-9][0-9][0-9]Z"));
    EXPECT_EQ(db.sql("SELECT checksum FROM rollcall.schema_steps WHERE name = '0001_first'"),
              db.sql("SELECT encode(sha256(convert_to(E'CREATE TABLE first (id int);\\nINSERT "
                     "INTO first VALUES (1);\\n', 'UTF8')), 'hex')"));
}

TEST_F(PgMigrator, AFailedStepLeavesNothing) {
    const std::vector<EmbeddedFile> files{
        two[0], {"0002_broken.sql", "CREATE TABLE half ();\n\nSELECT no_such_thing;\n"}, two[1]};
    const auto applied = apply(files);
    ASSERT_FALSE(applied.has_value());
    EXPECT_THAT(applied.error().message, HasSubstr("0002_broken"));
    EXPECT_THAT(applied.error().message, HasSubstr("no_such_thing"));
    EXPECT_THAT(applied.error().message, HasSubstr("line 3"));
    EXPECT_EQ(db.sql("SELECT count(*) FROM pg_class WHERE relname IN ('half', 'second')"), "0");
    EXPECT_EQ(db.sql("SELECT string_agg(name, ' ') FROM rollcall.schema_steps"), "0001_first");
    const auto ends_early = apply({two[0], {"0002_commits.sql", "CREATE TABLE c (); COMMIT;"}});
    ASSERT_FALSE(ends_early.has_value());
    EXPECT_THAT(ends_early.error().message, HasSubstr("0002_commits"));
    EXPECT_THAT(apply(two).value(), ElementsAre("0002_second"));
}

TEST_F(PgMigrator, AChangedStepIsAnError) {
    ASSERT_TRUE(apply(two).has_value());
    std::vector<EmbeddedFile> changed = two;
    changed[0].text = "CREATE TABLE first (id bigint);";
    for (const ErrorCode code : {apply(changed).error().code, up_to_date(changed).error().code}) {
        EXPECT_EQ(code, ErrorCode::conflict);
    }
    EXPECT_THAT(apply(changed).error().message, HasSubstr("0001_first was changed"));
}

TEST_F(PgMigrator, ADatabaseOfALaterReleaseIsAnError) {
    ASSERT_TRUE(apply(two).has_value());
    const auto older = up_to_date({two[0]});
    ASSERT_FALSE(older.has_value());
    EXPECT_THAT(older.error().message, HasSubstr("0002_second"));
    EXPECT_FALSE(apply({two[0]}).has_value());
}

TEST_F(PgMigrator, ALaterStepThatSaysSoIsCompatible) {
    const EmbeddedFile later{"0003_later.sql",
                             "-- compatible: nobody else looks at it.\nCREATE TABLE later ();\n"};
    ASSERT_TRUE(apply({two[0], two[1], later}).has_value());
    EXPECT_EQ(up_to_date(two), true);
    EXPECT_THAT(apply(two).value(), IsEmpty());
    EXPECT_EQ(run(Migrator(pool, two).status())->size(), 2U);

    // What is missing between is missing all the same, and the next one says nothing of the sort.
    EXPECT_EQ(up_to_date({two[0], {"0002_other.sql", "SELECT 1;"}, two[1]}), false);
    const EmbeddedFile breaks{"0004_breaks.sql", "-- It is not compatible:\nDROP TABLE later;\n"};
    ASSERT_TRUE(apply({two[0], two[1], later, breaks}).has_value());
    const auto older = up_to_date({two[0], two[1], later});
    ASSERT_FALSE(older.has_value());
    EXPECT_THAT(older.error().message, HasSubstr("0004_breaks"));
}

TEST_F(PgMigrator, StepsFromBeforeThereWasTheColumnAreReadAllTheSame) {
    ASSERT_TRUE(apply(two).has_value());
    db.sql("ALTER TABLE rollcall.schema_steps DROP COLUMN compatible");
    EXPECT_EQ(up_to_date(two), true);
    EXPECT_FALSE(up_to_date({two[0]}).has_value());
    EXPECT_THAT(apply({two[0], two[1], {"0003_next.sql", "CREATE TABLE next ();"}}).value(),
                ElementsAre("0003_next"));
}

TEST_F(PgMigrator, SeveralProcessesMayMigrateAtOnce) {
    const std::vector<EmbeddedFile> slow{
        {"0001_slow.sql", "CREATE TABLE slow (); SELECT pg_sleep(0.05);"}, two[1]};
    std::vector<std::unique_ptr<Pool>> pools;
    std::size_t applied = 0;
    int finished = 0;
    const auto process = [&](Pool& own) -> Task<> {
        Migrator migrator(own, slow);
        const auto names = co_await migrator.apply();
        EXPECT_TRUE(names.has_value()) << names.error().message;
        if (names) applied += names->size();
        ++finished;
    };
    for (int i = 0; i < 5; ++i) {
        pools.push_back(std::make_unique<Pool>(io.get_executor(), "p" + std::to_string(i), 1,
                                               db.config(), metrics));
        spawn(io.get_executor(), "migrate", process(*pools.back()));
    }
    ASSERT_TRUE(until([&] { return finished == 5; }));
    EXPECT_EQ(applied, 2U);
    EXPECT_EQ(db.sql("SELECT count(*) FROM rollcall.schema_steps"), "2");
}

TEST_F(PgMigrator, WaitsForALockAndLetsGoMeanwhile) {
    db.sql("CREATE TABLE busy (id int)");
    const std::vector<EmbeddedFile> files{
        {"0001_wait.sql",
         "SET LOCAL lock_timeout = '50ms'; ALTER TABLE busy ADD COLUMN word text;"}};
    bool done = false;
    const auto holder = [&]() -> Task<> {
        Transaction tx = co_await pool.begin();
        co_await tx.execute({"hold", "LOCK TABLE busy"});
        while (!quiet.text().contains("migration_waits_for_lock")) co_await sleep(1ms);
        co_await tx.commit();
    };
    const auto migrate = [&]() -> Task<> {
        Migrator migrator(pool, files);
        const auto names = co_await migrator.apply();
        EXPECT_TRUE(names.has_value());
        done = true;
    };
    spawn(io.get_executor(), "holder", holder());
    ASSERT_TRUE(until([&] {
        return db.sql("SELECT count(*) FROM pg_locks WHERE relation = 'busy'::regclass") == "1";
    }));
    spawn(io.get_executor(), "migrate", migrate());
    EXPECT_TRUE(until([&] { return done; }));
}

TEST_F(PgMigrator, AnEmptyListIsFine) {
    EXPECT_THAT(apply({}).value(), IsEmpty());
    EXPECT_EQ(up_to_date({}), true);
}

}  // namespace
}  // namespace rollcall::pg
