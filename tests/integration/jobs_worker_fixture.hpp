// What the tests of a worker share: the queue's fixture, and a worker that loses no time.
#pragma once

#include "jobs/worker.hpp"
#include "jobs_fixture.hpp"

#include <string>
#include <utility>

namespace rollcall::jobs {

class WorkerTest : public JobsTest {
protected:
    static WorkerConfig config(std::string name = "w1") {
        using std::chrono::milliseconds;
        WorkerConfig it;
        it.name = std::move(name);
        it.capacity = 4;
        it.poll_interval = [] { return milliseconds(20); };
        it.retry.backoff = {milliseconds(1), milliseconds(5)};
        it.retry.outage = {milliseconds(1), milliseconds(5)};
        return it;
    }
    void stop(Worker& worker) { EXPECT_EQ(run(worker.stop(std::chrono::seconds(10))), 0); }
    [[nodiscard]] bool reaches(const std::string& id, const std::string& state) {
        return wait_until([&] { return status(id) == state; });
    }
};

}  // namespace rollcall::jobs
