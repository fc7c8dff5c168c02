#include "cli/held_deletions.hpp"

#include "base/json.hpp"

#include <fmt/format.h>
#include <optional>
#include <utility>

namespace rollcall::cli {
namespace {

constexpr int listed_max = 500;
constexpr int change_max = 10'000;

std::unexpected<Error> none_wait(const admin::DeletionOrder& order) {
    return fail(ErrorCode::not_found,
                order.clerk_id ? "no deletion of this user waits for a person"
                               : "no deletions from " + *order.from + " wait for a person");
}

// Which of them the order is about.
struct Meant {
    std::int64_t run = 0;
    bool webhooks = false;
};

Task<Meant> meant_by(pg::Pool& pool, const admin::DeletionOrder& order) {
    Meant meant{.webhooks = order.from == "webhook"};
    if (order.from == "pass") {
        sync::RunLedger runs(pool, "deletions");
        meant.run = (co_await runs.state()).held_run;
    }
    if (!order.clerk_id) co_return meant;
    for (const auto& one : co_await sync::held_deletes(pool, order.clerk_id, listed_max)) {
        meant.run = std::max(meant.run, one.run);
        meant.webhooks = meant.webhooks || one.run == 0;
    }
    co_return meant;
}

Task<Result<void>> decide_on_jobs(pg::Pool& pool, const admin::DeletionOrder& order,
                                  HeldAnswer& answer) {
    jobs::QueueAdmin queue(pool);
    const jobs::JobFilter filter{.status = std::nullopt,
                                 .kind = "USER_DELETED",
                                 .subject = order.clerk_id,
                                 .event_id = std::nullopt,
                                 .after = std::nullopt,
                                 .limit = change_max,
                                 .reason = "held: "};
    const auto changed =
        co_await queue.change(order.approve ? jobs::Verb::retry : jobs::Verb::cancel, filter,
                              /*dry_run=*/false, {.by = order.by, .note = order.note});
    if (!changed) co_return std::unexpected(changed.error());
    (order.approve ? answer.approved : answer.discarded) += std::ssize(changed->changed);
    answer.left += changed->more ? 1 : 0;
    co_return Result<void>();
}

}  // namespace

Task<HeldDeletions> held_deletions(pg::Pool& pool) {
    HeldDeletions out;
    out.users = co_await sync::held_deletes(pool, std::nullopt, listed_max + 1);
    out.more = out.users.size() > listed_max;
    if (out.more) out.users.pop_back();
    const mirror::Compared last = co_await mirror::CompareRecord(pool).last();
    out.mirror = last.held;
    out.approved = last.allowed;
    co_return out;
}

Task<Result<HeldAnswer>> decide(pg::Pool& pool, const admin::DeletionOrder& order) {
    HeldAnswer answer;
    if (order.from == "mirror") {
        mirror::CompareRecord record(pool);
        const auto allowed = co_await record.allow_removals(order.by);
        if (!allowed) co_return std::unexpected(allowed.error());
        answer.approved = *allowed;
        co_return answer;
    }
    const Meant meant = co_await meant_by(pool, order);
    answer.run = meant.run;
    if (meant.webhooks) {
        if (auto done = co_await decide_on_jobs(pool, order, answer); !done) {
            co_return std::unexpected(done.error());
        }
    }
    if (answer.run == 0 && answer.approved + answer.discarded == 0) co_return none_wait(order);
    co_return answer;
}

Task<Result<HeldAnswer>> decide_on_run(sync::Reconciler& reconciler, admin::DeletionOrder order,
                                       HeldAnswer answer) {
    if (!order.approve) {
        const auto discarded =
            co_await reconciler.discard_deletes(answer.run, order.by, order.clerk_id);
        if (!discarded) co_return std::unexpected(discarded.error());
        answer.discarded += *discarded;
        co_return answer;
    }
    const auto decision = co_await reconciler.approve_deletes(answer.run, order.by, order.clerk_id);
    if (!decision) co_return std::unexpected(decision.error());
    answer.approved += decision->deleted;
    answer.returned += decision->returned;
    answer.left += decision->left;
    co_return answer;
}

admin::DeletionActions deletion_actions(
    pg::Pool& pool, std::function<bool()> ready,
    std::function<Task<Result<HeldAnswer>>(admin::DeletionOrder, HeldAnswer)> of_run) {
    const auto want_schema = [ready = std::move(ready)] {
        if (!ready()) throw Unavailable("no schema yet");
    };
    return {.list = [&pool, want_schema]() -> Task<std::string> {
                want_schema();
                co_return to_json(co_await held_deletions(pool));
            },
            .decide = [&pool, want_schema, of_run = std::move(of_run)](
                          admin::DeletionOrder order) -> Task<Result<std::string>> {
                want_schema();
                auto answer = co_await decide(pool, order);
                if (answer && answer->run > 0) {
                    answer = co_await of_run(std::move(order), *answer);
                }
                if (!answer) co_return std::unexpected(answer.error());
                co_return to_json(*answer);
            }};
}

std::string to_json(const HeldDeletions& held) {
    std::string users;
    for (const sync::HeldDelete& one : held.users) {
        users += fmt::format(
            R"({}{{"clerk_id":{},"from":"{}","run":{},"job":{},"held_at":{}}})",
            users.empty() ? "" : ",", json_string(one.clerk_id), one.run > 0 ? "pass" : "webhook",
            one.run > 0 ? std::to_string(one.run) : "null",
            one.job.empty() ? "null" : json_string(one.job), json_string(one.held_at));
    }
    return fmt::format(R"({{"held":[{}],"more":{},"mirror":{{"held":{},"approved":{}}}}})"
                       "\n",
                       users, held.more, held.mirror, held.approved);
}

std::string to_text(const HeldDeletions& held) {
    std::string out;
    for (const sync::HeldDelete& one : held.users) {
        out += fmt::format("{}  {}  {}\n", one.clerk_id,
                           one.run > 0 ? fmt::format("pass {}", one.run) : "webhook", one.held_at);
    }
    if (held.more) out += "… and more\n";
    if (held.mirror > 0) {
        out += fmt::format("mirror: {} removals in Supabase Auth wait{}\n", held.mirror,
                           held.approved > 0 ? " for the next comparison: approved" : "");
    }
    return out.empty() ? "no deletions wait for a person\n" : out;
}

std::string to_json(const HeldAnswer& answer) {
    return fmt::format(R"({{"approved":{},"discarded":{},"returned":{},"left":{}}})"
                       "\n",
                       answer.approved, answer.discarded, answer.returned, answer.left);
}

std::string to_text(const HeldAnswer& answer) {
    return fmt::format("{} approved, {} discarded, {} known to Clerk after all, {} left\n",
                       answer.approved, answer.discarded, answer.returned, answer.left);
}

}  // namespace rollcall::cli
