// What the tests of sync/ share: the directory's fixture, a Clerk that answers what it is told, and
// the pass that works off users' changes.
#pragma once

#include "directory_fixture.hpp"
#include "fake_clerk.hpp"
#include "jobs/metrics.hpp"
#include "jobs/retry_policy.hpp"
#include "sync/apply_user.hpp"
#include "sync/refresh.hpp"

#include <optional>
#include <string>

namespace rollcall::sync {

using clerk::FakeClerk;

class SyncTest : public directory::DirectoryTest {
protected:
    explicit SyncTest(directory::DirectoryConfig c = {}, bool create = true)
        : DirectoryTest(std::move(c), create) {
        if (create) make();
    }

    // Anew, with what is in `config`, `retry` and `clerk` by now.
    void make(bool with_clerk = true) {
        config.can_ask = with_clerk;
        open();
        apply = std::make_unique<ApplyUser>(
            io.get_executor(), pool, *directory, with_clerk ? &clerk : nullptr, retry,
            ApplyConfig{.batch = config.batch, .lanes = 2}, job_metrics);
        apply->observe([this](std::string_view kind, std::string_view id, auto outcome) {
            changes.push_back(fmt::format("{} {} {}", kind, id, to_string(outcome)));
        });
        refresh = std::make_unique<Refresh>(pool, *directory, clerk);
    }

    // Passes until nothing is due and nobody asks Clerk; how many jobs that was.
    int work() {
        int total = 0;
        for (int done = 1; done > 0; total += done) {
            done = run(apply->run_once());
            if (!run(apply->asked(test::deadline))) throw std::runtime_error("still asking");
        }
        return total;
    }
    // Makes every job that waits for another try due now.
    void pass_time() {
        sql("UPDATE job_queue SET run_at = now() - interval '1 second', "
            "created_at = now() - interval '2 seconds' WHERE status = 'PENDING'");
        apply.reset();
        make(config.can_ask);
    }
    // Works off the REFRESH_USER jobs that wait; how many.
    int refresh_all() {
        int count = 0;
        while (true) {
            const std::string subject =
                sql("SELECT subject FROM job_queue WHERE job_type = 'REFRESH_USER' "
                    "AND status = 'PENDING' ORDER BY created_at, id LIMIT 1");
            if (subject.empty() || count > 20) return count;
            jobs::Job job;
            job.kind = jobs::refresh_user;
            job.subject = subject;
            sql(
                fmt::format("UPDATE job_queue SET status = 'PROCESSING' WHERE job_type = "
                            "'REFRESH_USER' AND subject = '{}' AND status = 'PENDING'",
                            subject));
            const jobs::Outcome outcome = run(refresh->handle(job));
            sql(
                fmt::format("UPDATE job_queue SET status = '{}' WHERE job_type = 'REFRESH_USER' "
                            "AND subject = '{}' AND status = 'PROCESSING'",
                            std::holds_alternative<jobs::Retry>(outcome)    ? "PENDING"
                            : std::holds_alternative<jobs::Failed>(outcome) ? "FAILED"
                                                                            : "COMPLETED",
                            subject));
            ++count;
        }
    }
    // A user whom both Clerk and the ledger know: the key is of the right instance.
    void somebody_known() {
        clerk.has("user_known", 1, std::nullopt);
        tell({.clerk_id = "user_known", .version = 1});
    }
    std::string job_state(const std::string& id) const {
        return sql(
            fmt::format("SELECT status || ' ' || attempts || ' ' || coalesce(error, '-') "
                        "FROM job_queue WHERE id = '{}'",
                        id));
    }
    // The event's bytes beside the job, as the webhook door keeps them.
    void keep_event(const std::string& id, const directory::Told& told, bool verified) const {
        const std::string event = fmt::format(
            R"({{"type":"user.updated","data":{{"id":"{}","primary_email_address_id":"e1",)"
            R"("email_addresses":[{{"id":"e1","email_address":"{}","verification":)"
            R"({{"status":"{}"}}}}]}}}})",
            told.clerk_id, told.email.value_or(""), verified ? "verified" : "unverified");
        sql(fmt::format("UPDATE job_queue SET original_event = {} WHERE id = '{}'",
                        directory::quote_literal(event), id));
    }

    FakeClerk clerk;
    // What is put off stays so until pass_time(), however slow the machine is.
    jobs::RetryPolicy retry{.backoff = {std::chrono::hours(1000), std::chrono::hours(1000)},
                            .outage = {std::chrono::hours(1000), std::chrono::hours(1000)}};
    jobs::Metrics job_metrics{metrics};
    std::unique_ptr<ApplyUser> apply;
    std::unique_ptr<Refresh> refresh;
    std::vector<std::string> changes;
};

}  // namespace rollcall::sync
