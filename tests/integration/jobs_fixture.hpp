// What the queue's tests share: a migrated database, a queue on it, and short words for its rows.
#pragma once

#include "base/log.hpp"
#include "jobs/metrics.hpp"
#include "jobs/queue.hpp"
#include "support/postgres.hpp"
#include "support/run.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace rollcall::jobs {

class JobsTest : public testing::Test {
protected:
    JobsTest() { db.sql("TRUNCATE public.job_queue, rollcall.ledger, rollcall.leases"); }
    ~JobsTest() override { run(pool.stop()); }

    // One for the whole program: emptying it is much cheaper than making one for each test.
    static test::Database& database() {
        static test::Database shared(test::Database::Content::migrated);
        return shared;
    }

    template <class T>
    T run(Task<T> task) {
        return test::run(io, std::move(task));
    }
    [[nodiscard]] bool wait_until(const std::function<bool()>& condition) {
        return test::wait_until(io, condition);
    }

    std::string sql(const std::string& text) const { return db.sql(text); }
    [[nodiscard]] std::string column(std::string_view id, std::string_view expression) const {
        return sql(
            fmt::format("SELECT ({})::text FROM public.job_queue WHERE id = '{}'", expression, id));
    }
    [[nodiscard]] std::string status(std::string_view id) const { return column(id, "status"); }
    // "PENDING FAILED …", as rollcall.job_history has it.
    [[nodiscard]] std::string history(std::string_view id) const {
        return sql(
            fmt::format("SELECT string_agg(status, ' ' ORDER BY n) FROM rollcall.job_history('{}') "
                        "WITH ORDINALITY AS h (status, at, attempt, error, worker, n)",
                        id));
    }
    // One job by SQL; returns its id.
    std::string add(const std::string& kind, int priority = 1,
                    const std::string& run_at = "now()") const {
        return sql(
            fmt::format("SELECT rollcall.enqueue('{}', '{{\"clerk_id\":\"user_1\"}}', {}, {})",
                        kind, priority, run_at));
    }
    // An event as the webhook door stores it.
    NewJob event(std::string_view event_id) {
        NewJob job;
        job.id = uuid_v7(1'700'000'000'000, random);
        job.kind = user_created;
        job.payload = R"({"clerk_id":"user_1","email":"a@example.com","name":"A B",)"
                      R"("user_role":"user","created_at":"2026-01-01T00:00:00.000Z",)"
                      R"("retry_count":0})";
        job.priority = 2;
        job.event_id = event_id;
        job.original_event = R"({"type":"user.created"})";
        job.subject = "user_1";
        job.version = 1'700'000'000'000;
        job.banned = false;
        job.locked = false;
        job.clerk_created_at = SystemTime(std::chrono::milliseconds(1'700'000'000'000));
        return job;
    }
    std::vector<Enqueued> enqueue(const std::vector<NewJob>& jobs) {
        auto stored = run(queue.enqueue(jobs));
        EXPECT_TRUE(stored) << stored.error().message;
        return std::move(*stored);
    }
    std::vector<Job> claim(int limit = 100, std::string_view worker = "w1",
                           std::chrono::milliseconds lease = std::chrono::seconds(15)) {
        return run(queue.claim(worker, limit, lease));
    }
    // As if the lease of `id` had lapsed.
    void lapse(std::string_view id) const {
        sql(
            fmt::format("UPDATE public.job_queue SET lease_until = now() - interval '1 second' "
                        "WHERE id = '{}'",
                        id));
    }

    test::Database& db = database();
    asio::io_context io;
    MetricsRegistry registry;
    Metrics metrics{registry};
    Random random{1};
    pg::Pool pool{io.get_executor(), "test", 8, db.config(), registry};
    JobQueue queue{pool};
};

}  // namespace rollcall::jobs
