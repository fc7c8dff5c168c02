// What the queue's tests share: a migrated database, a queue on it, and short words for its rows.
#pragma once

#include "base/log.hpp"
#include "jobs/metrics.hpp"
#include "jobs/queue.hpp"
#include "migrated_fixture.hpp"

#include <string>
#include <vector>

namespace rollcall::jobs {

class JobsTest : public test::MigratedTest {
protected:
    JobsTest() : MigratedTest("public.job_queue, rollcall.ledger, rollcall.leases") {}

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

    Metrics metrics{registry};
    Random random{1};
    JobQueue queue{pool};
};

}  // namespace rollcall::jobs
