#include "sync/asking_jobs.hpp"

#include "base/log.hpp"
#include "base/result.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

namespace rollcall::sync {
namespace {

using testing::ElementsAre;

struct AskingJobsTest : testing::Test {
    asio::io_context io;
    std::vector<std::string> done;
    bool away = false;
    AskingJobs jobs{
        io.get_executor(), {.at_once = 2, .waiting_max = 2}, [this](std::string id) -> Task<> {
            co_await sleep(std::chrono::milliseconds(1));
            if (away) throw Unavailable("gone");
            done.push_back(std::move(id));
        }};
};

TEST_F(AskingJobsTest, EachIsHereOnceAndTheirNumberIsBounded) {
    for (const char* id : {"a", "a", "b"}) jobs.add(id);
    EXPECT_TRUE(jobs.has("a"));
    EXPECT_FALSE(jobs.has("c"));
    jobs.add("c");  // two wait already, nothing has begun yet
    EXPECT_FALSE(jobs.has("c"));
    io.run();
    EXPECT_THAT(done, ElementsAre("a", "b"));
    EXPECT_TRUE(jobs.idle());
}

TEST_F(AskingJobsTest, AnOutageLetsGoOfWhatWaits) {
    const log::Capture capture;
    away = true;
    for (const char* id : {"a", "b"}) jobs.add(id);
    io.poll();  // both are under way
    for (const char* id : {"c", "d"}) jobs.add(id);
    io.run();
    EXPECT_TRUE(jobs.idle());
    EXPECT_THAT(done, testing::IsEmpty());
    const std::string lines(capture.text());
    EXPECT_NE(lines.find("asking_job_interrupted"), lines.rfind("asking_job_interrupted"));
}

TEST_F(AskingJobsTest, StopBeginsNoMore) {
    for (const char* id : {"a", "b"}) jobs.add(id);
    io.poll();
    jobs.add("c");
    jobs.stop();
    jobs.add("d");
    io.run();
    EXPECT_THAT(done, ElementsAre("a", "b"));
    EXPECT_TRUE(jobs.idle());
}

}  // namespace
}  // namespace rollcall::sync
