#include "pg/plan.hpp"

#include <gmock/gmock.h>

namespace rollcall::pg {
namespace {

using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

TEST(PlanCache, FindsTheSameStatementAgain) {
    MetricsRegistry metrics;
    PlanCache cache(metrics);
    const std::string copy = "SELECT $1";
    const Plan& plan = cache.find({"one", "SELECT $1"}, Params().bigint(1));
    EXPECT_EQ(&cache.find({"one", copy}, Params().bigint(2)), &plan);
    EXPECT_EQ(&cache.find({"one", "SELECT $1"}, Params().null()), &plan);
    EXPECT_THAT(plan.server_name, StartsWith("one_"));
    EXPECT_THAT(metrics.render(), HasSubstr("{statement=\"one\""));
}

TEST(PlanCache, KeepsWhatDiffersApart) {
    MetricsRegistry metrics;
    PlanCache cache(metrics);
    const Plan& number = cache.find({"one", "SELECT $1"}, Params().bigint(1));
    const Plan& text = cache.find({"one", "SELECT $1"}, Params().text("1"));
    const Plan& two = cache.find({"one", "SELECT $1, $2"}, Params().bigint(1).bigint(1));
    const Plan& other = cache.find({"other", "SELECT $1"}, Params().bigint(1));
    EXPECT_NE(&number, &text);
    EXPECT_NE(&number, &two);
    EXPECT_NE(&number, &other);
    EXPECT_NE(number.id, text.id);
    EXPECT_NE(number.server_name, text.server_name);
    EXPECT_NE(number.server_name, two.server_name);
    // What began as NULL of a type that the server inferred is no help for a typed one.
    const Plan& null = cache.find({"null", "SELECT $1"}, Params().null());
    EXPECT_NE(&cache.find({"null", "SELECT $1"}, Params().bigint(1)), &null);
    EXPECT_EQ(&cache.find({"null", "SELECT $1"}, Params().text("x")), &null);
}

TEST(PlanCache, NamesFitIntoWhatTheServerKeeps) {
    MetricsRegistry metrics;
    PlanCache cache(metrics);
    const std::string name(200, 'n');
    EXPECT_THAT(cache.find({name + "a", "SELECT 1"}, {}).server_name, SizeIs(testing::Le(63)));
    EXPECT_NE(cache.find({name + "a", "SELECT 1"}, {}).server_name,
              cache.find({name + "a", "SELECT 2"}, {}).server_name);
    // The name is the same in every process, or else a pooler's connections fill up with names.
    EXPECT_EQ(cache.find({"one", "SELECT 1"}, {}).server_name, "one_199e7bca63ea84f2");
}

}  // namespace
}  // namespace rollcall::pg
