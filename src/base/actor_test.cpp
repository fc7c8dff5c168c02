#include "base/actor.hpp"

#include <gtest/gtest.h>

namespace rollcall {
namespace {

TEST(Actor, TellsWhatIsKnown) {
    EXPECT_EQ(Actor{}.to_json(), R"({"actor":"system"})");
    EXPECT_EQ((Actor{.kind = Actor::Kind::cli, .name = "ann \"x\""}.to_json()),
              R"({"actor":"cli","name":"ann \"x\""})");
    EXPECT_EQ(
        (Actor{.kind = Actor::Kind::user, .name = "", .ip = "::1", .request_id = "r"}.to_json()),
        R"({"actor":"user","ip":"::1","request_id":"r"})");
}

}  // namespace
}  // namespace rollcall
