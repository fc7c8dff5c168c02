#include "sync/refresh.hpp"

#include "base/json.hpp"
#include "sync/ask_clerk.hpp"
#include "sync/email_settlement.hpp"

#include <array>
#include <utility>

namespace rollcall::sync {
namespace {

using How = Settled::How;

directory::Read read_of(const std::string& id, const std::optional<clerk::User>& user,
                        SystemTime asked_at, const directory::ColumnMap& columns) {
    if (!user) {
        return {.clerk_id = id, .state = directory::Deletion{asked_at}, .asked_at = asked_at};
    }
    return {.clerk_id = id,
            .state =
                directory::Snapshot{
                    .version = user->updated_at_ms,
                    .email = user->email,
                    .name = user->name,
                    .role = std::string(directory::role_of(columns, user->role)),
                    .banned = user->banned,
                    .locked = user->locked,
                    .clerk_created_at = SystemTime(std::chrono::milliseconds(user->created_at_ms))},
            .asked_at = asked_at};
}

std::optional<directory::EmailClaim> claim_of(const std::optional<clerk::User>& user) {
    if (!user || !user->email) return std::nullopt;
    return directory::EmailClaim{.clerk_id = user->id,
                                 .email = *user->email,
                                 .version = user->updated_at_ms,
                                 .verified = user->email_verified,
                                 .read = true};
}

jobs::Outcome ending(const Settled& settled) {
    switch (settled.how) {
        case How::applied:
            // The question was asked before something that is known by now.
            if (settled.outcome == directory::Outcome::tie) {
                return jobs::Retry{.reason = "what Clerk said is older than what is known"};
            }
            return jobs::Completed{R"({"outcome":")" +
                                   std::string(directory::to_string(settled.outcome)) + R"("})"};
        case How::gone:
        case How::overtaken:
            return jobs::Retry{.reason = "the user changed while it was read"};
        case How::wait:
            return jobs::Retry{.reason = settled.reason, .burns_attempt = false};
        case How::refused:
            return jobs::Failed{settled.reason};
        case How::failed:
            return jobs::Retry{.reason = settled.reason};
    }
    return jobs::Failed{"unknown"};
}

}  // namespace

Refresh::Refresh(pg::Pool& pool, directory::Directory& directory, clerk::BackendApi& clerk)
    : pool_(pool), directory_(directory), clerk_(clerk) {}

Task<jobs::Outcome> Refresh::handle(const jobs::Job& job) {
    if (job.subject.empty()) co_return jobs::Failed{"the job names no user: subject is empty"};
    const std::string id = job.subject;
    // The database's time, and before the question: a deletion that comes later wins.
    const SystemTime asked_at = co_await directory::database_now(pool_);
    const auto user = co_await ask_clerk(&clerk_, id);
    if (!user) {
        if (user.error().code == ErrorCode::invalid_input) {
            co_return jobs::Failed{user.error().message};
        }
        co_return jobs::Retry{.reason = user.error().message, .burns_attempt = false};
    }
    const std::array<directory::Read, 1> reads{read_of(id, *user, asked_at, directory_.columns())};
    EmailSettlement settlement(pool_, directory_, &clerk_);
    const Settled settled = co_await settlement.settle(
        claim_of(*user),
        [this, &reads](
            pg::Transaction& tx) -> Task<directory::Answer<std::optional<directory::Outcome>>> {
            const auto applied = co_await directory_.apply(tx, reads);
            if (!applied) co_return std::unexpected(applied.error());
            co_return applied->front().outcome;
        });
    if (settled.how == How::applied && observer_) observer_(job.kind, id, settled.outcome);
    co_return ending(settled);
}

}  // namespace rollcall::sync
