// Deletions that the guards held back for a person: of passes, webhooks and the mirror. What the
// admin API and `rollcall deletions` share.
#pragma once

#include "admin/deletion_routes.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "jobs/queue_admin.hpp"
#include "mirror/compare_record.hpp"
#include "pg/pool.hpp"
#include "sync/held_deletes.hpp"
#include "sync/reconciler.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace rollcall::cli {

struct HeldDeletions {
    std::vector<sync::HeldDelete> users;
    bool more = false;
    std::int64_t mirror = 0;    // removals that the last comparison held back
    std::int64_t approved = 0;  // of these, for the next one
};

// What came of an order.
struct HeldAnswer {
    std::int64_t approved = 0;
    std::int64_t discarded = 0;
    std::int64_t returned = 0;  // Clerk knows the user after all
    std::int64_t left = 0;      // not decided
    std::int64_t run = 0;       // of a pass: those are decide_on_run's
};

Task<HeldDeletions> held_deletions(pg::Pool& pool);

// All but what a pass held back, for which Clerk has to be asked: `run` says of which one there is
// something to decide. not_found when nothing of that waits.
Task<Result<HeldAnswer>> decide(pg::Pool& pool, const admin::DeletionOrder& order);
// Adds that.
Task<Result<HeldAnswer>> decide_on_run(sync::Reconciler& reconciler, admin::DeletionOrder order,
                                       HeldAnswer answer);

// The admin API's. `ready` says whether the schema is there; `of_run` is decide_on_run, where Clerk
// can be asked. `pool` must outlive it.
[[nodiscard]] admin::DeletionActions deletion_actions(
    pg::Pool& pool, std::function<bool()> ready,
    std::function<Task<Result<HeldAnswer>>(admin::DeletionOrder, HeldAnswer)> of_run);

[[nodiscard]] std::string to_json(const HeldDeletions& held);
[[nodiscard]] std::string to_text(const HeldDeletions& held);
[[nodiscard]] std::string to_json(const HeldAnswer& answer);
[[nodiscard]] std::string to_text(const HeldAnswer& answer);

}  // namespace rollcall::cli
