#include "sync/difference.hpp"

#include <gtest/gtest.h>

namespace rollcall::sync {
namespace {

const Difference ann{.kind = Difference::Kind::different,
                     .clerk_id = "user_a",
                     .fields = {{.name = "email", .table = std::nullopt, .clerk = "a@example.com"},
                                {.name = "name", .table = "A \"nn\"", .clerk = "Anne"}}};

TEST(Difference, ReadsFieldByField) {
    EXPECT_EQ(to_text(ann),
              "user_a  different\n"
              "  email  NULL -> \"a@example.com\"\n"
              "  name   \"A \\\"nn\\\"\" -> \"Anne\"");
    EXPECT_EQ(to_text({.kind = Difference::Kind::extra, .clerk_id = "user_b", .fields = {}}),
              "user_b  extra");
}

TEST(Difference, AnIdThatWouldMoveTheCursorIsQuoted) {
    EXPECT_EQ(to_text({.kind = Difference::Kind::extra, .clerk_id = "\x1b[2J", .fields = {}}),
              "\"\\u001b[2J\"  extra");
}

TEST(Difference, IsJson) {
    EXPECT_EQ(to_json(ann), R"({"clerk_id":"user_a","kind":"different","fields":{)"
                            R"("email":{"table":null,"clerk":"a@example.com"},)"
                            R"("name":{"table":"A \"nn\"","clerk":"Anne"}}})");
    EXPECT_EQ(to_json({.kind = Difference::Kind::missing, .clerk_id = "user_c", .fields = {}}),
              R"({"clerk_id":"user_c","kind":"missing","fields":{}})");
}

}  // namespace
}  // namespace rollcall::sync
