#include "sync/single_job.hpp"

#include "jobs/outcome.hpp"
#include "sync/sql.hpp"

#include <utility>

namespace rollcall::sync {
namespace {

using How = Settled::How;

}  // namespace

struct SingleJob::Row {
    jobs::Job job;
    std::int64_t version = 0;
    std::string email;
};

SingleJob::SingleJob(pg::Pool& pool, directory::Directory& directory, clerk::BackendApi* clerk,
                     jobs::RetryPolicy retry)
    : pool_(pool),
      directory_(directory),
      clerk_(clerk),
      retry_(retry),
      settlement_(pool, directory, clerk) {}

Task<std::optional<SingleJob::Row>> SingleJob::read(const std::string& id) {
    const pg::Rows rows = co_await pool_.execute(sql::job, pg::Params().text(id));
    if (rows.empty()) co_return std::nullopt;
    const auto column = [&rows](std::string_view name) { return rows.column(name); };
    Row row;
    row.job.id = id;
    row.job.kind = rows.text(0, column("job_type"));
    row.job.subject = rows.text(0, column("subject"));
    row.job.attempt = static_cast<int>(rows.bigint(0, column("attempts"))) + 1;
    row.job.attempts_max = static_cast<int>(rows.bigint(0, column("own_max")));
    row.job.fence = row.job.attempt;  // of a job that is never leased: how often it was tried
    row.job.age = std::chrono::milliseconds(rows.bigint(0, column("age_ms")));
    if (const auto event = rows.maybe(0, column("original_event"))) {
        row.job.original_event = std::string(*event);
    }
    row.version = rows.bigint(0, column("version"));
    row.email = rows.text(0, column("email"));
    co_return row;
}

// The address that the change wants; whether Clerk has verified it stands in the event alone.
std::optional<directory::EmailClaim> SingleJob::claim_of(const Row& row) {
    if (row.job.kind == jobs::user_deleted || row.email.empty() || row.job.subject.empty()) {
        return std::nullopt;
    }
    directory::EmailClaim claim{
        .clerk_id = row.job.subject, .email = row.email, .version = row.version};
    if (row.job.original_event) {
        const clerk::Event event = parser_.parse(*row.job.original_event);
        const auto* user = std::get_if<clerk::User>(&event.data);
        if (user != nullptr && user->email == row.email) claim.verified = user->email_verified;
    }
    return claim;
}

Task<Settled> SingleJob::apply(const std::string& id, const Row& row, const Report& report) {
    directory::AppliedBatch batch;
    Settled settled = co_await settlement_.settle(
        claim_of(row),
        [this, &id, &batch](
            pg::Transaction& tx) -> Task<directory::Answer<std::optional<directory::Outcome>>> {
            auto applied = co_await directory_.apply_job(tx, id);
            if (!applied) co_return std::unexpected(applied.error());
            if (applied->size() == 0) co_return std::nullopt;
            batch = std::move(*applied);
            co_return batch[0].outcome;
        });
    if (settled.how == How::applied) report(batch);
    co_return settled;
}

Task<SingleJob::Result> SingleJob::work(std::string id, Report report) {
    const auto row = co_await read(id);
    if (!row) co_return Result{};
    Result result{.kind = row->job.kind, .attempts = row->job.attempt};
    const Settled settled = co_await apply(id, *row, report);
    switch (settled.how) {
        case How::applied:
            result.ending = Ending::applied;
            break;
        case How::gone:
            break;
        case How::overtaken:
            co_await pool_.execute(sql::supersede, pg::Params().text(id));
            result.ending = Ending::superseded;
            break;
        case How::refused:
            co_await pool_.execute(sql::give_up, pg::Params().text(id).text(settled.reason));
            result.ending = Ending::given_up;
            break;
        case How::wait:
        case How::failed:
            result.ending = co_await put_off(id, *row, settled);
            break;
    }
    co_return result;
}

// While Clerk cannot be asked no attempt is used up; without a key it never can be.
Task<SingleJob::Ending> SingleJob::put_off(const std::string& id, const Row& row,
                                           const Settled& settled) {
    const bool burns = settled.how == How::failed || clerk_ == nullptr;
    const jobs::Outcome outcome = jobs::resolve(
        jobs::Retry{.reason = settled.reason, .burns_attempt = burns}, row.job, retry_, random_);
    if (settled.row_is_needed) {
        // The row must stay, but that its user is gone is known from now on.
        pg::Transaction tx = co_await directory_.begin(pool_);
        if (co_await directory_.apply_job(tx, id, /*keep_row=*/true)) {
            co_await tx.execute(sql::reopen, pg::Params().text(id));
            co_await tx.commit();
        }
    }
    if (const auto* retry = std::get_if<jobs::Retry>(&outcome)) {
        co_await pool_.execute(sql::put_off, pg::Params()
                                                 .text(id)
                                                 .bigint(retry->delay->count())
                                                 .text(settled.reason)
                                                 .integer(retry->burns_attempt ? 1 : 0));
        co_return Ending::put_off;
    }
    co_await pool_.execute(sql::give_up, pg::Params().text(id).text(settled.reason));
    co_return Ending::given_up;
}

}  // namespace rollcall::sync
