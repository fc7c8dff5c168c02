// Deletions that the guard held back, and what a person decides: rows of rollcall.held_deletes.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "jobs/lease.hpp"
#include "sync/pass.hpp"
#include "sync/run_ledger.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::sync {

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
    // Deletes those of `run`, each looked up once more, while `lease` is ours.
    // not_found: none of that run wait. unavailable and its like: Clerk could not be asked.
    Task<Result<HeldDecision>> approve(std::int64_t run, const jobs::Lease& lease);
    Task<Result<std::int64_t>> discard(std::int64_t run);

private:
    Task<std::vector<std::string>> some(std::int64_t run, std::string_view after);
    Task<std::int64_t> decide(std::int64_t run, const std::vector<std::string>& clerk_ids,
                              std::string_view decision);
    Task<> look(Pass& pass, const std::vector<std::string>& clerk_ids,
                std::vector<std::string>& gone, std::vector<std::string>& returned);

    RunLedger& runs_;
    const Pass::Parts& parts_;
};

}  // namespace rollcall::sync
