#include "sync/user_comparison.hpp"

#include "directory/row_view.hpp"
#include "sync/key_check.hpp"

#include <chrono>
#include <optional>
#include <utility>

namespace rollcall::sync {
namespace {

// Clerk does not know the user: a living row is one too many.
Task<> look_for_row(Pass& pass, std::string clerk_id) {
    const directory::RowView rows(pass.parts().directory.columns());
    const auto row = co_await rows.find(pass.parts().pool, clerk_id);
    if (!row || row->deleted) co_return;
    pass.summary().found.extra = 1;
    pass.report({.kind = Difference::Kind::extra, .clerk_id = std::move(clerk_id), .fields = {}});
}

}  // namespace

Task<Result<RunSummary>> compare_user(RunLedger& runs, Pass::Parts parts, std::string clerk_id,
                                      Progress& progress) {
    const SteadyTime began = std::chrono::steady_clock::now();
    const std::int64_t requests_before = parts.clerk.requests();
    RunSummary summary;
    summary.mode = RunMode::user;
    Pass pass(co_await asio::this_coro::executor, parts, summary, /*dry_run=*/true, &progress);
    if (co_await right_key(runs, pass)) {
        SystemTime asked_at;
        auto user = co_await pass.get(clerk_id, asked_at);
        if (user && !*user) user = co_await pass.get(clerk_id, asked_at);
        if (!user && user.error().code == ErrorCode::invalid_input) {
            co_return std::unexpected(user.error());
        }
        if (!user) {
            pass.fail(user.error());
        } else if (*user) {
            summary.seen = 1;
            co_await pass.work_off({&**user, 1}, asked_at);
        } else {
            co_await look_for_row(pass, std::move(clerk_id));
        }
    }
    summary.requests = parts.clerk.requests() - requests_before;
    summary.status = status_of(summary.failure);
    summary.duration_seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    co_return summary;
}

}  // namespace rollcall::sync
