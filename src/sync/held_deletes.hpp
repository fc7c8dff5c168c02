// Deletions that the guard held back, and what a person decides: rows of rollcall.held_deletes.
#pragma once

#include "base/actor.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "jobs/lease.hpp"
#include "sync/pass.hpp"
#include "sync/run_ledger.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::sync {

// A deletion that waits for a person: held back by a pass, or by webhook.
struct HeldDelete {
    std::string clerk_id;
    std::int64_t run = 0;  // 0: by webhook
    std::string job;       // of a webhook's
    std::string held_at;   // RFC 3339
};

// The oldest first; of one user where that is named.
Task<std::vector<HeldDelete>> held_deletes(pg::Pool& pool,
                                           const std::optional<std::string>& clerk_id, int limit);

// What became of deletions that were held back.
struct HeldDecision {
    std::int64_t deleted = 0;
    std::int64_t returned = 0;  // Clerk knows the user after all
    std::int64_t left = 0;      // not decided: Clerk gave no answer, or the row cannot go
};

class HeldDeletes {
public:
    // Both must outlive this.
    HeldDeletes(RunLedger& runs, const Pass::Parts& parts) : runs_(runs), parts_(parts) {}

    // Those of earlier runs: `run` has judged anew.
    Task<> supersede(std::int64_t run);
    // Deletes those of `run`, or of these one user's, each looked up once more, while `lease` is
    // ours.
    // not_found: none of that run wait. unavailable and its like: Clerk could not be asked.
    Task<Result<HeldDecision>> approve(std::int64_t run, std::optional<std::string> clerk_id,
                                       const jobs::Lease& lease, Actor by);
    Task<Result<std::int64_t>> discard(std::int64_t run, std::optional<std::string> clerk_id,
                                       Actor by);

private:
    Task<std::vector<std::string>> some(std::int64_t run,
                                        const std::optional<std::string>& clerk_id,
                                        std::string_view after);
    Task<std::int64_t> decide(std::int64_t run, const std::vector<std::string>& clerk_ids,
                              std::string_view decision, const Actor& by);
    Task<> look(Pass& pass, const std::vector<std::string>& clerk_ids,
                std::vector<std::string>& gone, std::vector<std::string>& returned);

    RunLedger& runs_;
    const Pass::Parts& parts_;
};

}  // namespace rollcall::sync
