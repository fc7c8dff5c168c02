// One change on its own: what a batch could not settle. Whatever is wrong with it ends with this
// job: tried again later with growing delays, or given up with a reason that a person can use.
#pragma once

#include "base/random.hpp"
#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "clerk/event.hpp"
#include "directory/directory.hpp"
#include "jobs/job.hpp"
#include "jobs/retry_policy.hpp"
#include "pg/pool.hpp"
#include "sync/email_settlement.hpp"

#include <functional>
#include <optional>
#include <string>

namespace rollcall::sync {

class SingleJob {
public:
    // What became of a job that was applied, before the batch is dropped.
    using Report = std::function<void(const directory::AppliedBatch&)>;
    enum class Ending : std::uint8_t { applied, put_off, given_up, superseded, gone };

    // `clerk` may be null. All references must outlive this.
    SingleJob(pg::Pool& pool, directory::Directory& directory, clerk::BackendApi* clerk,
              jobs::RetryPolicy retry);

    struct Result {
        Ending ending = Ending::gone;
        std::string kind;
        int attempts = 0;
    };
    Task<Result> work(std::string id, Report report);

private:
    struct Row;
    Task<std::optional<Row>> read(const std::string& id);
    [[nodiscard]] std::optional<directory::EmailClaim> claim_of(const Row& row);
    Task<Settled> apply(const std::string& id, const Row& row, const Report& report);
    Task<Ending> put_off(const std::string& id, const Row& row, const Settled& settled);

    pg::Pool& pool_;
    directory::Directory& directory_;
    clerk::BackendApi* clerk_;
    jobs::RetryPolicy retry_;
    EmailSettlement settlement_;
    clerk::EventParser parser_;
    Random random_;
};

}  // namespace rollcall::sync
