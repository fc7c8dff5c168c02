#include "base/scoped_flag.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace rollcall {
namespace {

TEST(ScopedFlag, IsUpWhileItLivesHoweverItEnds) {
    bool running = false;
    {
        const ScopedFlag one(running);
        EXPECT_TRUE(running);
    }
    EXPECT_FALSE(running);
    EXPECT_THROW(
        {
            const ScopedFlag one(running);
            throw std::runtime_error("ended");
        },
        std::runtime_error);
    EXPECT_FALSE(running);
}

}  // namespace
}  // namespace rollcall
