#include "pg_fixture.hpp"

#include <array>
#include <limits>

namespace rollcall::pg {
namespace {

using OptionalText = std::optional<std::string_view>;

class PgParams : public PoolTest {
protected:
    PgParams() : PoolTest(1) {}

    std::string echo(std::string_view expression, const Params& params) {
        return value(pool, "SELECT " + std::string(expression), params);
    }
};

TEST_F(PgParams, ScalarsArriveAsTheyWere) {
    EXPECT_EQ(echo("$1::text IS NULL", Params().null()), "t");
    EXPECT_EQ(echo("$1::text", Params().text("")), "");
    EXPECT_EQ(echo("$1::text", Params().text("it's \"quoted\" \\ {,} 日本語 🙂")),
              "it's \"quoted\" \\ {,} 日本語 🙂");
    EXPECT_EQ(echo("$1::text IS NULL", Params().text(OptionalText())), "t");
    EXPECT_EQ(echo("$1::text", Params().text(std::optional<std::string>("there"))), "there");
    EXPECT_EQ(echo("$1::jsonb ->> 'a'", Params().text(R"({"a": "b"})")), "b");
    for (const std::int64_t number :
         {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40,
          std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
        EXPECT_EQ(echo("$1", Params().bigint(number)), std::to_string(number));
    }
    for (const std::int32_t number : {0, -1, std::numeric_limits<std::int32_t>::min(),
                                      std::numeric_limits<std::int32_t>::max()}) {
        EXPECT_EQ(echo("$1", Params().integer(number)), std::to_string(number));
    }
    EXPECT_EQ(echo("$1", Params().boolean(true)), "t");
    EXPECT_EQ(echo("$1", Params().boolean(false)), "f");
    Random random(1);
    const Uuid uuid = uuid_v7(1'767'225'600'000, random);
    EXPECT_EQ(echo("$1", Params().uuid(uuid)), to_string(uuid));
}

TEST_F(PgParams, TimesArriveToTheMillisecond) {
    const auto at = [](std::int64_t ms) { return SystemTime(std::chrono::milliseconds(ms)); };
    const std::string as_text = "to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS')";
    EXPECT_EQ(echo(as_text, Params().timestamptz(at(0))), "1970-01-01 00:00:00.000");
    EXPECT_EQ(echo(as_text, Params().timestamptz(at(-1))), "1969-12-31 23:59:59.999");
    EXPECT_EQ(echo(as_text, Params().timestamptz(at(1'795'297'545'123))),
              "2026-11-21 21:45:45.123");
    EXPECT_EQ(echo("$1 = '2000-01-01 00:00:00+00'", Params().timestamptz(at(946'684'800'000))),
              "t");
}

TEST_F(PgParams, ArraysArriveWithTheirNulls) {
    const std::string text(3'000, 'p');
    const std::array<OptionalText, 5> texts{"", "a,\"b\"{}\\", std::nullopt, "žluťoučký 🐎", text};
    EXPECT_EQ(echo("array_to_json($1)::text", Params().text_array(texts)),
              R"(["","a,\"b\"{}\\",null,"žluťoučký 🐎",")" + text + "\"]");

    const std::array<std::string_view, 4> json{R"({"k":[1,2]})", "null", R"("s")", "12.50"};
    EXPECT_EQ(echo("array_to_json($1)::text", Params().jsonb_array(json)),
              R"([{"k": [1, 2]},null,"s",12.50])");

    const std::array<std::optional<std::int64_t>, 3> bigints{-5, std::nullopt,
                                                             std::int64_t{1} << 50};
    EXPECT_EQ(echo("$1::text", Params().bigint_array(bigints)), "{-5,NULL,1125899906842624}");

    const std::array<std::int32_t, 3> integers{1, -2, 2'000'000'000};
    EXPECT_EQ(echo("$1::text", Params().integer_array(integers)), "{1,-2,2000000000}");

    const std::array<std::optional<bool>, 3> booleans{true, std::nullopt, false};
    EXPECT_EQ(echo("$1::text", Params().boolean_array(booleans)), "{t,NULL,f}");

    Random random(2);
    const std::array<Uuid, 2> uuids{uuid_v7(0, random), uuid_v7(1, random)};
    EXPECT_EQ(echo("$1::text", Params().uuid_array(uuids)),
              "{" + to_string(uuids[0]) + "," + to_string(uuids[1]) + "}");

    const std::array<std::optional<SystemTime>, 2> times{
        SystemTime(std::chrono::milliseconds(1'500)), std::nullopt};
    EXPECT_EQ(echo("extract(epoch FROM $1[1])::text || ' ' || ($1[2] IS NULL)::text",
                   Params().timestamptz_array(times)),
              "1.500000 true");
}

TEST_F(PgParams, EmptyArraysAreEmptyArrays) {
    const std::string empty = "cardinality($1)::text || ' ' || ($1 = '{}')::text";
    EXPECT_EQ(echo(empty, Params().text_array({})), "0 true");
    EXPECT_EQ(echo(empty, Params().jsonb_array({})), "0 true");
    EXPECT_EQ(echo(empty, Params().bigint_array({})), "0 true");
    EXPECT_EQ(echo(empty, Params().integer_array({})), "0 true");
    EXPECT_EQ(echo(empty, Params().boolean_array({})), "0 true");
    EXPECT_EQ(echo(empty, Params().uuid_array({})), "0 true");
    EXPECT_EQ(echo(empty, Params().timestamptz_array({})), "0 true");
}

TEST_F(PgParams, ManyRowsAtOnceByUnnest) {
    constexpr int count = 1'000;
    const std::string long_text(3'000, 'q');
    std::vector<OptionalText> texts;
    std::vector<std::string_view> jsons;
    std::vector<std::optional<std::int64_t>> numbers;
    const std::string json = R"({"payload":")" + long_text + "\"}";
    for (int i = 0; i < count; ++i) {
        texts.push_back(i % 3 == 0 ? OptionalText() : OptionalText(long_text));
        jsons.emplace_back(json);
        numbers.emplace_back(i);
    }
    Params params;
    params.text_array(texts).jsonb_array(jsons).bigint_array(numbers);
    EXPECT_EQ(value(pool,
                    "SELECT concat_ws(' ', count(*), count(t), sum(length(t)), sum(n), "
                    "sum(length(j ->> 'payload'))) FROM unnest($1, $2, $3) AS u (t, j, n)",
                    params),
              "1000 666 1998000 499500 3000000");
}

TEST_F(PgParams, BadElementsAreRefused) {
    const std::array<OptionalText, 1> nul{std::string_view("a\0b", 3)};
    const auto text = run(pool.try_execute({"nul", "SELECT $1"}, Params().text_array(nul)));
    ASSERT_FALSE(text.has_value());
    EXPECT_EQ(text.error().sqlstate(), "22021");
    const std::array<std::string_view, 1> broken{"{"};
    const auto json = run(pool.try_execute({"json", "SELECT $1"}, Params().jsonb_array(broken)));
    ASSERT_FALSE(json.has_value());
    EXPECT_TRUE(json.error().data_error());
    const std::array<std::string_view, 1> zero{R"("\u0000")"};
    const auto null = run(pool.try_execute({"zero", "SELECT $1"}, Params().jsonb_array(zero)));
    ASSERT_FALSE(null.has_value());
    EXPECT_TRUE(null.error().data_error());
}

TEST_F(PgParams, RowsConvertWhatTheServerWrites) {
    const Rows rows = run(pool.execute(
        {"types",
         "SELECT 1.5::float8, 'NaN'::float8, '-Infinity'::float8, 12.25::numeric, true, "
         "(-9223372036854775808)::bigint"}));
    EXPECT_EQ(rows.columns(), 6);
    EXPECT_EQ(rows.number(0, 0), 1.5);
    EXPECT_NE(rows.number(0, 1), rows.number(0, 1));
    EXPECT_EQ(rows.number(0, 2), -std::numeric_limits<double>::infinity());
    EXPECT_EQ(rows.number(0, 3), 12.25);
    EXPECT_TRUE(rows.boolean(0, 4));
    EXPECT_EQ(rows.bigint(0, 5), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(rows.column_name(3), "numeric");
    EXPECT_DEATH((void)rows.column("none"), "");
    EXPECT_DEATH((void)rows.text(1, 0), "");
    EXPECT_DEATH((void)rows.bigint(0, 0), "");
}

}  // namespace
}  // namespace rollcall::pg
