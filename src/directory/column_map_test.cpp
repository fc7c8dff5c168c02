#include "directory/column_map.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollcall::directory {
namespace {

std::string parsed(std::string_view text) {
    const auto name = parse_table_name(text);
    return name ? name->schema + "/" + name->table : "refused";
}

TEST(ColumnMap, ReadsTableNames) {
    EXPECT_EQ(parsed("users"), "public/users");
    EXPECT_EQ(parsed("app.users"), "app/users");
    EXPECT_EQ(parsed(R"("My App"."a.b")"), "My App/a.b");
    EXPECT_EQ(parsed(R"("a""b".c)"), "a\"b/c");
    for (const char* bad :
         {"", ".", "a.", ".a", "a.b.c", "\"a", "\"a\"b", "a\"b", "\"\"", "a.\"b\"c"}) {
        EXPECT_EQ(parsed(bad), "refused") << bad;
    }
    EXPECT_EQ(parsed(std::string(64, 'a')), "refused");
    EXPECT_EQ(parsed(std::string_view("a\0b", 3)), "refused");
}

TEST(ColumnMap, QuotesWhateverTheCharacters) {
    EXPECT_EQ(quote_identifier(R"(a"b)"), R"("a""b")");
    EXPECT_EQ(quote_literal("it's"), "'it''s'");
    EXPECT_EQ(quote_literal(R"(a\b'c)"), R"(E'a\\b''c')");
    EXPECT_EQ(quote(TableName{"s", "t"}), R"("s"."t")");
}

TEST(ColumnMap, RefusesContradictions) {
    EXPECT_TRUE(check({}));
    const auto message = [](ColumnMap columns) {
        const auto good = check(columns);
        return good ? std::string() : good.error().message;
    };
    EXPECT_THAT(message({.table = "a.b.c"}), testing::HasSubstr("users table"));
    EXPECT_THAT(message({.id = ""}), testing::HasSubstr("id column"));
    EXPECT_THAT(message({.clerk_id = ""}), testing::HasSubstr("Clerk id column"));
    EXPECT_THAT(message({.email = "name"}), testing::HasSubstr("named for two things"));
    EXPECT_THAT(message({.updated_at = {"created_at"}}), testing::HasSubstr("two things"));
    EXPECT_THAT(message({.deleted_at = ""}), testing::HasSubstr("soft deletion"));
    EXPECT_THAT(message({.default_role = "guest"}), testing::HasSubstr("guest"));
    EXPECT_THAT(message({.name = std::string(64, 'n')}), testing::HasSubstr("63 bytes"));
    EXPECT_EQ(message({.email = "", .name = "", .role = "", .created_at = {}, .updated_at = {}}),
              "");
    ColumnMap hard;
    hard.deleted_at = "";
    hard.delete_mode = DeleteMode::hard;
    EXPECT_EQ(message(hard), "");
}

TEST(ColumnMap, TakesOnlyConfiguredRoles) {
    const ColumnMap columns;
    EXPECT_EQ(role_of(columns, "admin"), "admin");
    EXPECT_EQ(role_of(columns, "root"), "user");
    EXPECT_EQ(role_of(columns, std::nullopt), "user");
}

TEST(ColumnMap, ReadsTheDeleteMode) {
    EXPECT_EQ(parse_delete_mode("soft"), DeleteMode::soft);
    EXPECT_EQ(parse_delete_mode("hard"), DeleteMode::hard);
    EXPECT_EQ(parse_delete_mode("Hard"), std::nullopt);
}

}  // namespace
}  // namespace rollcall::directory
