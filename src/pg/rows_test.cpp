#include "pg/rows.hpp"

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <array>
#include <limits>
#include <string>

namespace rollcall::pg {
namespace {

// One row of the values given; nullptr is NULL.
Rows row(const std::vector<std::pair<const char*, const char*>>& columns) {
    PGresult* const result = PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK);
    std::vector<PGresAttDesc> attributes;
    std::vector<std::string> names;
    names.reserve(columns.size());
    for (const auto& [name, value] : columns) {
        names.emplace_back(name);
        attributes.push_back({.name = names.back().data(),
                              .tableid = 0,
                              .columnid = 0,
                              .format = 0,
                              .typid = 25,
                              .typlen = -1,
                              .atttypmod = -1});
    }
    PQsetResultAttrs(result, static_cast<int>(columns.size()), attributes.data());
    int column = 0;
    for (const auto& [name, value] : columns) {
        std::string copy = value == nullptr ? "" : value;
        PQsetvalue(result, 0, column++, value == nullptr ? nullptr : copy.data(),
                   value == nullptr ? -1 : static_cast<int>(copy.size()));
    }
    return Rows(result);
}

TEST(Rows, ReadValuesOfTheirTypes) {
    const Rows rows = row({{"id", "-9223372036854775808"},
                           {"createdAt", "then"},
                           {"ratio", "0.25"},
                           {"yes", "t"},
                           {"no", "f"},
                           {"none", nullptr},
                           {"empty", ""}});
    EXPECT_EQ(rows.size(), 1);
    EXPECT_EQ(rows.columns(), 7);
    EXPECT_EQ(rows.bigint(0, rows.column("id")), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(rows.text(0, rows.column("createdAt")), "then");
    EXPECT_EQ(rows.number(0, 2), 0.25);
    EXPECT_TRUE(rows.boolean(0, 3));
    EXPECT_FALSE(rows.boolean(0, 4));
    EXPECT_TRUE(rows.is_null(0, 5));
    EXPECT_EQ(rows.text(0, 5), "");
    EXPECT_EQ(rows.maybe(0, 5), std::nullopt);
    EXPECT_EQ(rows.maybe(0, 6), "");
}

TEST(Rows, NothingIsEmpty) {
    const Rows rows;
    EXPECT_TRUE(rows.empty());
    EXPECT_EQ(rows.columns(), 0);
    EXPECT_EQ(rows.affected(), 0);
}

TEST(RowsDeathTest, WrongQuestionsAreBugs) {
    const Rows rows = row({{"word", "12x"}, {"none", nullptr}});
    EXPECT_DEATH((void)rows.column("WORD"), "");
    EXPECT_DEATH((void)rows.text(1, 0), "");
    EXPECT_DEATH((void)rows.text(0, 2), "");
    EXPECT_DEATH((void)rows.text(-1, 0), "");
    EXPECT_DEATH((void)rows.bigint(0, 0), "");
    EXPECT_DEATH((void)rows.number(0, 0), "");
    EXPECT_DEATH((void)rows.boolean(0, 0), "");
    EXPECT_DEATH((void)rows.bigint(0, 1), "");
}

}  // namespace
}  // namespace rollcall::pg
