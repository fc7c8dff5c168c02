#include "jobs_worker_fixture.hpp"

#include "base/wakeup.hpp"
#include "jobs/chores.hpp"
#include "support/fault_proxy.hpp"

#include <set>
#include <stdexcept>

namespace rollcall::jobs {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

Task<Outcome> nothing_to_do(const Job& /*job*/) {
    co_return Completed{};
}

TEST_F(WorkerTest, RunsWhatIsDueAndRecordsTheResult) {
    Worker worker(io.get_executor(), queue, config(), metrics);
    std::vector<std::string> seen;
    worker.handle("REFRESH_USER", [&](const Job& job) -> Task<Outcome> {
        seen.push_back(job.id);
        co_return Completed{R"({"rows":2})"};
    });
    const auto id = add("REFRESH_USER");
    worker.start();
    ASSERT_TRUE(reaches(id, "COMPLETED"));
    EXPECT_EQ(seen, std::vector{id});
    EXPECT_EQ(column(id, "result->>'rows'"), "2");
    const auto late = add("REFRESH_USER");
    worker.wake();
    ASSERT_TRUE(reaches(late, "COMPLETED"));
    stop(worker);
    EXPECT_THAT(
        registry.render(),
        HasSubstr(
            R"(rollcall_jobs_completed_total{kind="REFRESH_USER",queue="effects",result="ok"} 2)"));
}

TEST_F(WorkerTest, RetriesUntilItGivesUp) {
    auto settings = config();
    settings.retry.attempts_max = 4;
    Worker worker(io.get_executor(), queue, settings, metrics);
    int calls = 0;
    worker.handle("REFRESH_USER", [&](const Job& job) -> Task<Outcome> {
        ++calls;
        EXPECT_EQ(job.attempt, calls);
        co_return Retry{.reason = fmt::format("try {}", calls)};
    });
    const auto id = add("REFRESH_USER");
    worker.start();
    ASSERT_TRUE(reaches(id, "FAILED"));
    stop(worker);
    EXPECT_EQ(calls, 4);
    EXPECT_EQ(column(id, "concat_ws('|', attempts, error, payload->>'retry_count')"), "4|try 4|3");
    EXPECT_EQ(history(id),
              "PENDING PROCESSING PENDING PROCESSING PENDING PROCESSING PENDING "
              "PROCESSING FAILED");
}

TEST_F(WorkerTest, AThrownOutageBurnsNoAttemptAndAnythingElseDoes) {
    Worker worker(io.get_executor(), queue, config(), metrics);
    int calls = 0;
    worker.handle("REFRESH_USER", [&](const Job& /*job*/) -> Task<Outcome> {
        ++calls;
        if (calls <= 20) throw Unavailable("Clerk is away");
        if (calls <= 22) throw std::logic_error("broken");
        co_return Completed{};
    });
    const auto id = add("REFRESH_USER");
    worker.start();
    ASSERT_TRUE(reaches(id, "COMPLETED"));
    stop(worker);
    EXPECT_EQ(calls, 23);
    EXPECT_EQ(column(id, "concat_ws('|', attempts, fence)"), "3|23");
    EXPECT_EQ(column(id, "history->1->>'error'"), "Clerk is away");
}

TEST_F(WorkerTest, KindsWithoutAHandlerAreLeftToOthers) {
    const auto refresh = add("REFRESH_USER");
    const auto unknown = add("UNKNOWN_EVENT");
    {
        Worker knows_nothing(io.get_executor(), queue, config(), metrics);
        EXPECT_EQ(run(knows_nothing.run_due(seconds(10))), 0);
    }
    Worker worker(io.get_executor(), queue, config(), metrics);
    worker.handle("REFRESH_USER", nothing_to_do);
    worker.start();
    ASSERT_TRUE(reaches(refresh, "COMPLETED"));
    stop(worker);
    EXPECT_EQ(column(unknown, "concat_ws('|', status, attempts, error)"), "PENDING|0");
}

TEST_F(WorkerTest, AResultThatIsNoJsonFails) {
    Worker worker(io.get_executor(), queue, config(), metrics);
    worker.handle("REFRESH_USER",
                  [](const Job& /*job*/) -> Task<Outcome> { co_return Completed{"{"}; });
    const auto id = add("REFRESH_USER");
    worker.start();
    ASSERT_TRUE(reaches(id, "FAILED"));
    stop(worker);
    EXPECT_EQ(column(id, "error"), "the handler's result is not JSON");
}

TEST_F(WorkerTest, ClaimsNoMoreThanItCanRun) {
    Worker worker(io.get_executor(), queue, config(), metrics);
    int running = 0;
    int most = 0;
    worker.handle("REFRESH_USER", [&](const Job& /*job*/) -> Task<Outcome> {
        most = std::max(most, ++running);
        co_await sleep(milliseconds(5));
        --running;
        co_return Completed{};
    });
    sql("SELECT rollcall.enqueue('REFRESH_USER', '{}') FROM generate_series(1, 40)");
    worker.start();
    ASSERT_TRUE(wait_until([&] {
        EXPECT_LE(std::stoi(sql("SELECT count(*) FROM job_queue WHERE status = 'PROCESSING'")), 4);
        return sql("SELECT count(*) FROM job_queue WHERE status = 'COMPLETED'") == "40";
    }));
    stop(worker);
    EXPECT_EQ(most, 4);
}

TEST_F(WorkerTest, RenewsTheLeaseWhileAHandlerRuns) {
    auto settings = config();
    settings.lease = milliseconds(300);
    Worker worker(io.get_executor(), queue, settings, metrics);
    Wakeup go_on(io.get_executor());
    worker.handle("REFRESH_USER", [&](const Job& /*job*/) -> Task<Outcome> {
        co_await go_on.wait(hours(1));
        co_return Completed{};
    });
    const auto id = add("REFRESH_USER");
    worker.start();
    ASSERT_TRUE(reaches(id, "PROCESSING"));
    const auto first = column(id, "lease_until");
    ASSERT_TRUE(wait_until([&] {
        return column(id, fmt::format("lease_until > '{}'::timestamptz + interval '600 ms'",
                                      first)) == "true";
    }));
    go_on.wake();
    ASSERT_TRUE(reaches(id, "COMPLETED"));
    stop(worker);
    EXPECT_EQ(history(id), "PENDING PROCESSING COMPLETED");
}

// fault 13
TEST_F(WorkerTest, AWorkerThatSleptPastItsLeaseChangesNothing) {
    Chores chores(io.get_executor(), pool, {.holder = "c"}, metrics);
    const auto id = add("REFRESH_USER");
    const Job slept = claim(1, "paused").at(0);
    lapse(id);
    EXPECT_EQ(run(chores.rescue()), 1);
    EXPECT_EQ(column(id, "concat_ws('|', status, attempts, error, payload->>'retry_count')"),
              "PENDING|1|lease lapsed|1");
    Worker other(io.get_executor(), queue, config("w2"), metrics);
    other.handle("REFRESH_USER",
                 [](const Job& /*job*/) -> Task<Outcome> { co_return Completed{R"("w2")"}; });
    other.start();
    ASSERT_TRUE(reaches(id, "COMPLETED"));
    stop(other);
    EXPECT_EQ(run(queue.complete(slept, R"("late")")).error().code, ErrorCode::conflict);
    EXPECT_EQ(column(id, "concat_ws('|', result, attempts, fence)"), R"("w2"|2|2)");
    EXPECT_EQ(history(id), "PENDING PROCESSING PENDING PROCESSING COMPLETED");
}

TEST_F(WorkerTest, ACancelledJobsEndIsDropped) {
    const log::Capture capture;
    Worker worker(io.get_executor(), queue, config(), metrics);
    Wakeup go_on(io.get_executor());
    bool ended = false;
    worker.handle("REFRESH_USER", [&](const Job& /*job*/) -> Task<Outcome> {
        co_await go_on.wait(hours(1));
        ended = true;
        co_return Completed{};
    });
    const auto id = add("REFRESH_USER");
    worker.start();
    ASSERT_TRUE(reaches(id, "PROCESSING"));
    EXPECT_EQ(sql(fmt::format("SELECT rollcall.cancel_job('{}')", id)), "t");
    go_on.wake();
    ASSERT_TRUE(wait_until(
        [&] { return ended && capture.text().find("job_end_refused") != std::string_view::npos; }));
    stop(worker);
    EXPECT_EQ(status(id), "CANCELLED");
    EXPECT_EQ(history(id), "PENDING PROCESSING CANCELLED");
}

TEST_F(WorkerTest, StopGivesTheRestBackUnburnt) {
    Worker worker(io.get_executor(), queue, config(), metrics);
    Wakeup go_on(io.get_executor());
    worker.handle("REFRESH_USER", [&](const Job& /*job*/) -> Task<Outcome> {
        co_await go_on.wait(hours(1));
        co_return Completed{};
    });
    worker.handle("UNKNOWN_EVENT", nothing_to_do);
    const auto slow = add("REFRESH_USER");
    const auto quick = add("UNKNOWN_EVENT");
    worker.start();
    ASSERT_TRUE(reaches(slow, "PROCESSING"));
    ASSERT_TRUE(reaches(quick, "COMPLETED"));
    EXPECT_EQ(run(worker.stop(milliseconds(20))), 1);
    EXPECT_EQ(column(slow, "concat_ws('|', status, attempts, leased_by IS NULL)"), "PENDING|0|t");
    go_on.wake();
    stop(worker);  // the late end was refused
    EXPECT_EQ(status(slow), "PENDING");
    worker.start();
    ASSERT_TRUE(reaches(slow, "PROCESSING"));
    go_on.wake();
    ASSERT_TRUE(reaches(slow, "COMPLETED"));
    stop(worker);
    stop(worker);
}

TEST_F(WorkerTest, TwoWorkersShareOneQueue) {
    Worker first(io.get_executor(), queue, config("w1"), metrics);
    Worker second(io.get_executor(), queue, config("w2"), metrics);
    std::multiset<std::string> ran;
    for (Worker* worker : {&first, &second}) {
        worker->handle("REFRESH_USER", [&](const Job& job) -> Task<Outcome> {
            ran.insert(job.id);
            co_await sleep(milliseconds(1));
            co_return Completed{};
        });
    }
    sql("SELECT rollcall.enqueue('REFRESH_USER', '{}') FROM generate_series(1, 200)");
    first.start();
    second.start();
    ASSERT_TRUE(wait_until(
        [&] { return sql("SELECT count(*) FROM job_queue WHERE status = 'COMPLETED'") == "200"; }));
    stop(first);
    stop(second);
    EXPECT_EQ(ran.size(), 200U);
    EXPECT_EQ(std::set<std::string>(ran.begin(), ran.end()).size(), 200U);
    EXPECT_EQ(sql("SELECT count(DISTINCT history->0->>'worker') FROM job_queue"), "2");
}

TEST_F(WorkerTest, RunDueWorksOffWhatIsDueAndReturns) {
    Worker worker(io.get_executor(), queue, config(), metrics);
    worker.handle("REFRESH_USER", nothing_to_do);
    sql("SELECT rollcall.enqueue('REFRESH_USER', '{}') FROM generate_series(1, 10)");
    const auto later = add("REFRESH_USER", 1, "now() + interval '1 hour'");
    EXPECT_EQ(run(worker.run_due(seconds(20))), 10);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status = 'COMPLETED'"), "10");
    EXPECT_EQ(status(later), "PENDING");
    EXPECT_EQ(run(worker.run_due(seconds(20))), 0);
    stop(worker);
}

// A worker whose way to the database a test cuts.
class CutOffTest : public WorkerTest {
protected:
    static pg::DatabaseConfig through(test::Database& db, const test::FaultProxy& proxy) {
        pg::DatabaseConfig config = db.config();
        std::string url = db.tcp_url();
        const std::string port = std::to_string(db.server().port());
        url.replace(url.find(port), port.size(), std::to_string(proxy.port()));
        config.url = Secret(url);
        return config;
    }
    // Cuts the way off in the middle of the first job.
    Handler cut() {
        return [this](const Job& /*job*/) -> Task<Outcome> {
            proxy.refuse(true);
            proxy.cut();
            co_return Completed{};
        };
    }
    bool not_recorded() {
        return wait_until(
            [&] { return capture.text().find("job_end_not_recorded") != std::string_view::npos; });
    }

    test::FaultProxy proxy{"127.0.0.1", db.server().port()};
    pg::Pool proxied{io.get_executor(), "proxied", 2, through(db, proxy), registry};
    JobQueue far{proxied};
    const log::Capture capture;
};

TEST_F(CutOffTest, RecordsTheEndOnceTheDatabaseIsBack) {
    Worker worker(io.get_executor(), far, config(), metrics);
    worker.handle("REFRESH_USER", cut());
    const auto id = add("REFRESH_USER");
    worker.start();
    ASSERT_TRUE(not_recorded());
    EXPECT_EQ(status(id), "PROCESSING");
    proxy.refuse(false);
    ASSERT_TRUE(reaches(id, "COMPLETED"));
    stop(worker);
    run(proxied.stop());
    EXPECT_EQ(column(id, "attempts"), "1");
}

TEST_F(CutOffTest, SaysThatAJobWasLostHoweverLongTheDatabaseWasAway) {
    auto settings = config();
    settings.lease = milliseconds(300);
    std::string lost;
    settings.on_lost = [&](const Job& job) -> Task<> {
        lost = job.id;
        co_return;
    };
    Worker worker(io.get_executor(), far, settings, metrics);
    worker.handle("REFRESH_USER", cut());
    const auto id = add("REFRESH_USER");
    worker.start();
    ASSERT_TRUE(not_recorded());
    const auto lapsed = std::chrono::steady_clock::now() + 3 * settings.lease;
    ASSERT_TRUE(wait_until([&] { return std::chrono::steady_clock::now() > lapsed; }));
    sql("UPDATE job_queue SET fence = fence + 1, leased_by = 'w2'");
    proxy.refuse(false);
    ASSERT_TRUE(wait_until([&] { return lost == id; }));
    stop(worker);
    run(proxied.stop());
    EXPECT_EQ(status(id), "PROCESSING");
}

TEST_F(WorkerTest, NamesAreUnique) {
    const auto name = worker_name(random);
    EXPECT_NE(name, worker_name(random));
    EXPECT_EQ(std::ranges::count(name, ':'), 2);
}

}  // namespace
}  // namespace rollcall::jobs
