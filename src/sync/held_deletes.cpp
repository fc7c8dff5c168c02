#include "sync/held_deletes.hpp"

#include "base/log.hpp"
#include "sync/key_check.hpp"
#include "sync/sql.hpp"

#include <fmt/format.h>
#include <utility>

namespace rollcall::sync {
namespace {

ErrorCode code_of(RunFailure failure) {
    if (failure == RunFailure::wrong_key) return ErrorCode::unauthenticated;
    return failure == RunFailure::other_instance ? ErrorCode::forbidden : ErrorCode::unavailable;
}

}  // namespace

Task<std::vector<HeldDelete>> held_deletes(pg::Pool& pool,
                                           const std::optional<std::string>& clerk_id, int limit) {
    const pg::Rows rows =
        co_await pool.execute(sql::held_list, pg::Params().text(clerk_id).integer(limit));
    std::vector<HeldDelete> out;
    out.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) {
        out.push_back({.clerk_id = std::string(rows.text(row, 0)),
                       .run = rows.is_null(row, 1) ? 0 : rows.bigint(row, 1),
                       .job = std::string(rows.text(row, 2)),
                       .held_at = std::string(rows.text(row, 3))});
    }
    co_return out;
}

Task<> HeldDeletes::supersede(std::int64_t run) {
    co_await parts_.pool.execute(sql::supersede_held, pg::Params().bigint(run));
}

Task<std::vector<std::string>> HeldDeletes::some(std::int64_t run,
                                                 const std::optional<std::string>& clerk_id,
                                                 std::string_view after) {
    const pg::Rows rows = co_await parts_.pool.execute(
        sql::some_held, pg::Params().bigint(run).text(after).text(clerk_id));
    co_return rows.texts(0);
}

Task<std::int64_t> HeldDeletes::decide(std::int64_t run, const std::vector<std::string>& clerk_ids,
                                       std::string_view decision, const Actor& by) {
    const std::vector<std::optional<std::string_view>> ids(clerk_ids.begin(), clerk_ids.end());
    const std::string who = by.to_json();
    const pg::Rows rows = co_await parts_.pool.execute(
        sql::decide_held, pg::Params().bigint(run).text_array(ids).text(decision).text(who));
    co_return rows.size();
}

// Each by its own question.
Task<> HeldDeletes::look(Pass& pass, const std::vector<std::string>& clerk_ids,
                         std::vector<std::string>& gone, std::vector<std::string>& returned) {
    for (const std::string& clerk_id : clerk_ids) {
        SystemTime asked_at;
        const auto user = co_await pass.get(clerk_id, asked_at);
        if (!user && user.error().code == ErrorCode::invalid_input) continue;
        if (!user) {
            pass.fail(user.error());
            co_return;
        }
        if (*user) {
            co_await pass.work_off({&**user, 1}, asked_at);
            returned.push_back(clerk_id);
        } else {
            gone.push_back(clerk_id);
        }
    }
}

Task<Result<HeldDecision>> HeldDeletes::approve(std::int64_t run,
                                                std::optional<std::string> clerk_id,
                                                const jobs::Lease& lease, Actor by) {
    std::vector<std::string> held = co_await some(run, clerk_id, "");
    if (held.empty()) {
        co_return fail(ErrorCode::not_found, fmt::format("no deletions of run {} wait", run));
    }
    HeldDecision out;
    RunSummary summary;
    Pass pass(co_await asio::this_coro::executor, parts_, summary, /*dry_run=*/false, nullptr);
    if (!co_await right_key(runs_, pass)) {
        co_return fail(code_of(summary.failure), summary.error.value_or(""));
    }
    while (!held.empty()) {
        co_await pass.look_at_time();
        const SystemTime asked_at = pass.known_time();
        std::vector<std::string> gone;
        std::vector<std::string> returned;
        co_await look(pass, held, gone, returned);
        if (!lease.held()) co_return fail(ErrorCode::conflict, "another run has begun");
        const std::int64_t before = summary.deleted;
        co_await pass.remove(gone, asked_at);
        const bool all = std::cmp_equal(summary.deleted - before, gone.size());
        // Where some rows did not go, those that did are found gone by the next pass.
        if (all) out.deleted += co_await decide(run, gone, "approved", by);
        out.returned += co_await decide(run, returned, "returned", by);
        out.left += std::ssize(held) - std::ssize(returned) - (all ? std::ssize(gone) : 0);
        if (pass.stopped()) {
            co_return fail(ErrorCode::unavailable, summary.error.value_or("Clerk is away"));
        }
        const std::string last = held.back();
        held = co_await some(run, clerk_id, last);
    }
    co_await pass.work_off_rest();
    log::info("held_deletes_approved", {{"run", run}, {"deleted", out.deleted}});
    co_return out;
}

Task<Result<std::int64_t>> HeldDeletes::discard(std::int64_t run,
                                                std::optional<std::string> clerk_id, Actor by) {
    const std::string who = by.to_json();
    pg::Params params;
    params.bigint(run);
    if (clerk_id) {
        params.text_array(std::vector<std::optional<std::string_view>>{*clerk_id});
    } else {
        params.null();
    }
    const pg::Rows rows =
        co_await parts_.pool.execute(sql::decide_held, params.text("discarded").text(who));
    if (rows.empty()) {
        co_return fail(ErrorCode::not_found, fmt::format("no deletions of run {} wait", run));
    }
    log::info("held_deletes_discarded", {{"run", run}, {"users", rows.size()}});
    co_return rows.size();
}

}  // namespace rollcall::sync
