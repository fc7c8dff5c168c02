// Tables as they are found: adopted with their own names and types, or refused with a reason.
#include "directory_fixture.hpp"

namespace rollcall::directory {
namespace {

using testing::HasSubstr;

class DirectoryAdopt : public DirectoryTest {
protected:
    DirectoryAdopt() : DirectoryTest({}, /*create=*/false) {}

    Result<UsersTablePlan> plan(UsersTableOptions options = {}) {
        return run(plan_users_table(pool, config.columns, options));
    }
    Result<UsersTablePlan> ensure(UsersTableOptions options = {}) {
        return run(ensure_users_table(pool, config.columns, options));
    }
    // Of what Clerk says nothing is mirrored but the user's existence.
    static ColumnMap two_ids() { return {.email = "", .name = "", .role = ""}; }
    // A user's whole life; the name of the table and its columns are the test's.
    void live() {
        const auto made = ensure();
        ASSERT_TRUE(made) << made.error().message;
        open();
        tell({.version = 1000, .email = "a@example.com", .name = "Ann", .role = "admin"});
        tell({.version = 2000, .email = "b@example.com", .name = "Bea"});
        tell({.clerk_id = "user_b", .version = 1000, .email = "a@example.com"});
        tell({.clerk_id = "user_b", .version = 2000, .deletion = true});
        EXPECT_EQ(read({.clerk_id = "user_c", .version = 1, .name = "Cy"}).outcome,
                  Outcome::applied);
        EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status <> 'COMPLETED'"), "0");
        for (const auto& [name, text] : directory->statements()) {
            if (!text.empty()) EXPECT_NO_THROW(sql("PREPARE s AS " + text)) << name;
        }
    }
};

TEST_F(DirectoryAdopt, AUniqueIndexOfSomeRowsOrMoreColumnsIsNotTakenForTheAddresses) {
    ASSERT_TRUE(ensure());
    sql("ALTER TABLE users DROP CONSTRAINT \"User_email_key\", ADD COLUMN tenant int");
    struct Case {
        const char* index;
        bool refuses;  // a second row with the address
        const char* note;
    };
    constexpr Case cases[]{
        {"(email) WHERE tenant = 1", false, "unique index one_address of column email is of some"},
        {"(tenant, lower(email))", false, "unique index one_address of column email is of some"},
        {"(email) WHERE email IS NOT NULL", true, ""},
        {"(lower(email)) WHERE email IS NOT NULL AND deleted_at IS NULL", true, ""},
    };
    for (const Case& one : cases) {
        SCOPED_TRACE(one.index);
        sql(fmt::format("CREATE UNIQUE INDEX one_address ON users {}", one.index));
        open();
        if (one.refuses) {
            EXPECT_THAT(directory->notes(), testing::Not(testing::Contains(HasSubstr("index"))));
        } else {
            EXPECT_THAT(directory->notes(), testing::Contains(HasSubstr(one.note)));
        }
        tell({.clerk_id = "user_a", .version = 1000, .email = "x@example.com"});
        EXPECT_EQ(tell({.clerk_id = "user_b", .version = 1000, .email = "x@example.com"}),
                  one.refuses ? Outcome::conflict : Outcome::applied);
        sql("DROP INDEX one_address; DELETE FROM users; DELETE FROM rollcall.ledger; "
            "DELETE FROM job_queue");
    }
}

TEST_F(DirectoryAdopt, CreatesTheTableOfTheReference) {
    const auto planned = plan();
    ASSERT_TRUE(planned);
    EXPECT_GE(planned->steps.size(), 2);
    EXPECT_EQ(sql("SELECT to_regclass('public.users') IS NULL"), "t");  // a plan does nothing
    ASSERT_TRUE(ensure());
    EXPECT_EQ(
        sql("SELECT string_agg(format('%s %s%s%s', quote_ident(a.attname), "
            "format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' "
            "END, ' ' || pg_get_expr(d.adbin, d.adrelid)), E'\\n' ORDER BY a.attnum) "
            "FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid "
            "AND d.adnum = a.attnum WHERE a.attrelid = 'public.users'::regclass AND a.attnum > 0"),
        "id uuid NOT NULL gen_random_uuid()\n"
        "clerk_id text\n"
        "email text\n"
        "name text\n"
        "role \"UserRole\" NOT NULL 'user'::\"UserRole\"\n"
        "\"createdAt\" timestamp without time zone NOT NULL CURRENT_TIMESTAMP\n"
        "\"updatedAt\" timestamp without time zone NOT NULL\n"
        "created_at timestamp with time zone now()\n"
        "updated_at timestamp with time zone now()\n"
        "preferences jsonb '{\"theme\": \"system\", \"displayUnit\": \"A1C\", "
        "\"reminderEnabled\": false, \"reminderFrequency\": \"DAILY\"}'::jsonb\n"
        "medical_profile jsonb '{\"preferredUnit\": \"MGDL\"}'::jsonb\n"
        "deleted_at timestamp with time zone");
    EXPECT_EQ(
        sql("SELECT string_agg(indexname || substr(indexdef, strpos(indexdef, ' USING')), E'\\n' "
            "ORDER BY indexname) FROM pg_indexes WHERE tablename = 'users'"),
        "User_clerkId_key USING btree (clerk_id)\nUser_email_key USING btree (email)\n"
        "User_pkey USING btree (id)\nidx_users_clerk_id USING btree (clerk_id)");
    EXPECT_EQ(sql("SELECT string_agg(conname || ' ' || pg_get_constraintdef(oid), E'\\n' "
                  "ORDER BY conname) FROM pg_constraint WHERE conrelid = 'users'::regclass"),
              "User_clerkId_key UNIQUE (clerk_id)\nUser_email_key UNIQUE (email)\n"
              "User_pkey PRIMARY KEY (id)");
    EXPECT_EQ(sql("SELECT enum_range(NULL::public.\"UserRole\")"), "{user,admin}");
    const auto again = ensure();
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->steps.empty());
    live();
}

TEST_F(DirectoryAdopt, AdoptsTheTableOfTheDocuments) {
    sql(R"(CREATE TYPE public."UserRole" AS ENUM ('user', 'admin', 'doctor');
           CREATE TABLE public.users (
             id uuid NOT NULL DEFAULT gen_random_uuid(),
             clerk_id text NULL DEFAULT 'NULL'::text,
             email text NULL, name text NULL,
             role public."UserRole" NOT NULL DEFAULT 'user'::"UserRole",
             "createdAt" timestamp without time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
             "updatedAt" timestamp without time zone NOT NULL,
             created_at timestamp with time zone NULL DEFAULT now(),
             updated_at timestamp with time zone NULL DEFAULT now(),
             CONSTRAINT "User_pkey" PRIMARY KEY (id),
             CONSTRAINT "User_clerkId_key" UNIQUE (clerk_id),
             CONSTRAINT "User_email_key" UNIQUE (email));
           INSERT INTO users (clerk_id, email, name, "updatedAt")
           VALUES ('user_old', 'old@example.com', 'Old', now()))");
    const std::string before = sql("SELECT (u.*)::text FROM users u");
    const auto planned = plan();
    ASSERT_TRUE(planned);
    ASSERT_EQ(planned->steps.size(), 2);  // deleted_at, and the functions over it
    ASSERT_TRUE(ensure());
    EXPECT_EQ(sql("SELECT relrowsecurity FROM pg_class WHERE oid = 'users'::regclass"), "f");
    EXPECT_EQ(sql("SELECT (u.*)::text FROM users u").substr(0, before.size() - 1),
              before.substr(0, before.size() - 1));
    live();
    EXPECT_EQ(row("user_a"), "Bea|b@example.com|user|alive");
    EXPECT_EQ(row("user_b"), "Ann|-|user|deleted");
    EXPECT_EQ(row("user_old"), "Old|old@example.com|user|alive");
}

TEST_F(DirectoryAdopt, OtherNamesAnotherSchemaTextRoleExtraColumns) {
    sql(R"(CREATE SCHEMA "My App";
           CREATE TABLE "My App"."Person" (
             "Id" uuid PRIMARY KEY DEFAULT gen_random_uuid(),
             "clerkUserId" varchar(64) UNIQUE,
             "e-mail" varchar(255) UNIQUE, "full ""name""" varchar(20),
             user_role varchar(10) NOT NULL DEFAULT 'member',
             changed timestamp, "gone at" timestamp,
             tenant int NOT NULL DEFAULT 1, badge text GENERATED ALWAYS AS ('b') STORED))");
    config.columns = {.table = R"("My App"."Person")",
                      .id = "Id",
                      .clerk_id = "clerkUserId",
                      .email = "e-mail",
                      .name = R"(full "name")",
                      .role = "user_role",
                      .created_at = {},
                      .updated_at = {"changed"},
                      .deleted_at = "gone at",
                      .roles = {"member", "admin", "it's"},
                      .default_role = "member"};
    live();
    EXPECT_EQ(sql(R"(SELECT concat_ws('|', "full ""name""", "e-mail", user_role, "gone at" IS NULL,
                     changed > now() AT TIME ZONE 'UTC' - interval '1 minute', tenant)
                     FROM "My App"."Person" WHERE "clerkUserId" = 'user_a')"),
              "Bea|b@example.com|member|t|t|1");
    tell({.version = 3000, .role = "it's"});
    EXPECT_EQ(sql(R"(SELECT user_role FROM "My App"."Person" WHERE "clerkUserId" = 'user_a')"),
              "it's");
    // Too long for its column: refused, not cut.
    enqueue({.version = 4000, .name = "a name of more than twenty letters"});
    const auto batch = run(directory->apply_due(pool, ClaimPosition{.priority = 1}));
    ASSERT_FALSE(batch);
    EXPECT_EQ(batch.error().sqlstate(), "22001");
}

TEST_F(DirectoryAdopt, OnlyTheTwoIds) {
    sql("CREATE TABLE members (id uuid PRIMARY KEY, clerk_id text UNIQUE)");
    config.columns = two_ids();
    config.columns.table = "members";
    config.columns.delete_mode = DeleteMode::hard;
    live();
    EXPECT_EQ(sql("SELECT string_agg(clerk_id, ' ' ORDER BY clerk_id) FROM members"),
              "user_a user_c");
}

TEST_F(DirectoryAdopt, WithoutAUniqueEmailTwoUsersMayShareOne) {
    sql("CREATE TABLE users (id uuid PRIMARY KEY, clerk_id text UNIQUE, email text)");
    config.columns = two_ids();
    config.columns.email = "email";
    const auto made = ensure();
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_THAT(made->notes, testing::Contains(HasSubstr("no unique index")));
    open();
    tell({.clerk_id = "user_a", .email = "x@example.com"});
    EXPECT_EQ(tell({.clerk_id = "user_b", .email = "x@example.com"}), Outcome::applied);
}

TEST_F(DirectoryAdopt, AnEmailThatIsUniqueWhateverItsCaseIsAConflictLikeAny) {
    sql("CREATE TABLE users (id uuid PRIMARY KEY, clerk_id text UNIQUE, email varchar(99), "
        "deleted_at timestamptz); CREATE UNIQUE INDEX ON users (lower(email))");
    config.columns = two_ids();
    config.columns.email = "email";
    ASSERT_TRUE(ensure());
    open();
    tell({.clerk_id = "user_a", .email = "X@example.com"});
    EXPECT_EQ(tell({.clerk_id = "user_b", .email = "x@Example.com"}), Outcome::conflict);
    enqueue({.clerk_id = "user_c", .email = "y@example.com"});
    enqueue({.clerk_id = "user_d", .email = "Y@example.com"});
    EXPECT_THAT(drain(), testing::UnorderedElementsAre(Outcome::applied, Outcome::conflict));
    EXPECT_TRUE(directory->emails().same("A@b.c", "a@B.c"));
}

TEST_F(DirectoryAdopt, MakesTheClerkIdUniqueOrSaysWhyNot) {
    sql("CREATE TABLE users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), "
        "clerk_id text DEFAULT 'NULL', deleted_at timestamptz);"
        "INSERT INTO users (clerk_id) VALUES ('user_x'), ('user_x'), ('user_y')");
    config.columns = two_ids();
    for (const auto& refused : {plan(), ensure()}) {
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, ErrorCode::bad_configuration);
        EXPECT_THAT(refused.error().message, HasSubstr("1 Clerk ids stand in more than one row"));
    }
    sql("DELETE FROM users WHERE clerk_id = 'user_x'");
    live();
    EXPECT_EQ(sql("SELECT count(*) FROM users"), "4");
}

TEST_F(DirectoryAdopt, TheStrayTextNullIsNoClerkId) {
    sql("CREATE TABLE users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), "
        "clerk_id text DEFAULT 'NULL', deleted_at timestamptz);"
        "INSERT INTO users DEFAULT VALUES; INSERT INTO users DEFAULT VALUES");
    config.columns = two_ids();
    live();
    EXPECT_EQ(sql("SELECT count(*) FROM users WHERE clerk_id = 'NULL'"), "2");
    EXPECT_EQ(sql("SELECT count(*) FROM users"), "5");
    EXPECT_TRUE(ensure()->steps.empty());
}

TEST_F(DirectoryAdopt, HardDeletionTakesTheRowAndTheLedgerRemembers) {
    config.columns.delete_mode = DeleteMode::hard;
    ASSERT_TRUE(ensure());
    open();
    tell({.version = 1000, .email = "a@example.com"});
    const std::string id = sql("SELECT id FROM users");
    tell({.version = 2000, .deletion = true});
    EXPECT_EQ(sql("SELECT count(*) FROM users"), "0");
    tell({.version = 3000, .email = "a@example.com"});
    EXPECT_EQ(sql("SELECT count(*) FROM users"), "0");
    EXPECT_EQ(sql("SELECT user_id FROM rollcall.ledger"), id);
    EXPECT_TRUE(read({.version = 3000, .email = "a@example.com"}).restored);
    EXPECT_EQ(sql("SELECT id FROM users"), id);
}

TEST_F(DirectoryAdopt, ATableThatCannotBeUsedIsRefusedWithAReason) {
    const auto refusal = [&](const std::string& table, ColumnMap columns = two_ids()) {
        sql("DROP TABLE IF EXISTS users CASCADE; DROP TYPE IF EXISTS public.r; " + table);
        config.columns = std::move(columns);
        const auto opened = run(Directory::open(pool, config));
        return opened ? "" : opened.error().message;
    };
    const std::string ids = "id uuid PRIMARY KEY, clerk_id text UNIQUE, deleted_at timestamptz";
    EXPECT_EQ(refusal(""), "table public.users does not exist: run `rollcall migrate`");
    EXPECT_EQ(refusal("CREATE TABLE users (" + ids + ")"), "");
    EXPECT_THAT(refusal("CREATE TABLE users (id bigint PRIMARY KEY, clerk_id text UNIQUE)"),
                HasSubstr("the internal id is a uuid"));
    EXPECT_THAT(refusal("CREATE TABLE users (id uuid PRIMARY KEY)"),
                HasSubstr("has no column clerk_id"));
    EXPECT_THAT(refusal("CREATE TABLE users (id uuid PRIMARY KEY, clerk_id text)"),
                HasSubstr("run `rollcall migrate`"));
    EXPECT_THAT(refusal("CREATE TABLE users (" + ids + ", email int)", {.name = "", .role = ""}),
                HasSubstr("rollcall writes text"));
    EXPECT_THAT(refusal("CREATE TABLE users (" + ids + ", created_at date)"),
                HasSubstr("rollcall writes timestamps"));
    EXPECT_THAT(refusal("CREATE TYPE r AS ENUM ('user'); CREATE TABLE users (" + ids + ", role r)",
                        {.email = "", .name = ""}),
                HasSubstr("role \"admin\" is not a value of public.r"));
    EXPECT_THAT(refusal("CREATE TABLE users (" + ids + ")", {.table = "a.b.c"}),
                HasSubstr("is not a name"));
    sql("DROP TABLE users; CREATE VIEW users AS SELECT gen_random_uuid() AS id, '' AS clerk_id");
    config.columns = {};
    EXPECT_THAT(run(Directory::open(pool, config)).error().message,
                HasSubstr("not an ordinary table"));
}

// Not mirrored without a word would show only when somebody misses the data.
TEST_F(DirectoryAdopt, AColumnThatIsNamedAndAbsentIsRefusedWithTheLikelyOne) {
    sql(R"(CREATE TYPE "Rank" AS ENUM ('admin', 'staff', 'user');
           CREATE TABLE users (id uuid PRIMARY KEY, clerk_id text UNIQUE, "eMail" text UNIQUE,
               full_name text, "kind" "Rank" NOT NULL DEFAULT 'user', rolled boolean, role2 int,
               deleted_at timestamptz))");
    const auto refusal = [&](ColumnMap columns) {
        config.columns = std::move(columns);
        const auto planned = plan();
        const auto opened = run(Directory::open(pool, config));
        EXPECT_FALSE(planned);
        EXPECT_FALSE(opened);
        if (planned || opened) return std::string();
        EXPECT_EQ(opened.error().code, ErrorCode::bad_configuration);
        EXPECT_EQ(planned.error().code, ErrorCode::bad_configuration);
        EXPECT_EQ(planned.error().message, opened.error().message);
        return opened.error().message;
    };
    EXPECT_EQ(refusal({}),
              "table public.users has no column email: is it eMail? Set users.email_column to the "
              "right one, or to \"\" to do without, or add the column");
    EXPECT_THAT(refusal({.email = "eMail"}),
                HasSubstr("has no column name: is it full_name? Set users.name_column"));
    // By its values, whatever it is called.
    EXPECT_THAT(refusal({.email = "eMail", .name = "full_name"}),
                HasSubstr("has no column role: is it kind? Set users.role_column"));
    EXPECT_THAT(refusal({.clerk_id = "clerkid", .email = "eMail"}),
                HasSubstr("has no column clerkid: is it clerk_id? Set users.clerk_id_column to the "
                          "right one, or add"));
    EXPECT_THAT(refusal({.id = "uid", .email = "eMail"}), HasSubstr("is it id?"));
    EXPECT_THAT(refusal({.email = "eMail", .name = "qqqqqq", .role = "kind"}),
                HasSubstr("is it full_name?"));
    sql("ALTER TABLE users DROP COLUMN full_name");
    EXPECT_THAT(refusal({.email = "eMail", .role = "kind"}),
                HasSubstr("has no column name: Set users.name_column"));
    config.columns.name = "";
    EXPECT_TRUE(plan());
}

TEST_F(DirectoryAdopt, SaysWhichColumnsMayMakeRowsFail) {
    sql("CREATE TABLE users (id uuid PRIMARY KEY, clerk_id text UNIQUE, email text NOT NULL "
        "UNIQUE, tenant int NOT NULL)");
    config.columns = two_ids();
    config.columns.email = "email";
    const auto planned = plan();
    ASSERT_TRUE(planned);
    EXPECT_THAT(planned->notes, testing::Contains(HasSubstr("column tenant is NOT NULL")));
    EXPECT_THAT(planned->notes, testing::Contains(testing::AllOf(
                                    HasSubstr("column email is NOT NULL"),
                                    HasSubstr("ALTER COLUMN \"email\" DROP NOT NULL"))));
}

TEST_F(DirectoryAdopt, TwoMigrationsAtOnceMakeOneTable) {
    int ended = 0;
    for (int i = 0; i < 4; ++i) {
        asio::co_spawn(
            io,
            [&]() -> Task<> {
                const auto made = co_await ensure_users_table(pool, config.columns, {});
                EXPECT_TRUE(made) << made.error().message;
            },
            [&](std::exception_ptr failure) {
                EXPECT_EQ(failure, nullptr);
                ++ended;
            });
    }
    ASSERT_TRUE(test::wait_until(io, [&] { return ended == 4; }));
    live();
}

}  // namespace
}  // namespace rollcall::directory
