// A complete pass: every user of Clerk's, listed by the time of creation by several workers at
// once, each page compared with the table as it comes. Only when the list was whole is it concluded
// who is gone. docs/sync.md says why this is right while users come, change and go.
#pragma once

#include "base/task.hpp"
#include "sync/creation_walk.hpp"
#include "sync/departures.hpp"
#include "sync/pass.hpp"
#include "sync/range_plan.hpp"
#include "sync/run_ledger.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rollcall::sync {

struct FullPassConfig {
    int workers = 8;
    std::size_t page_users = clerk::page_users_max;
    DeletionGuard guard;
};

class FullPass {
public:
    FullPass(Pass& pass, FullPassConfig config);  // `pass` must outlive this
    FullPass(const FullPass&) = delete;
    FullPass& operator=(const FullPass&) = delete;

    // What Clerk says before the list is walked; nothing when the pass has failed.
    Task<std::optional<CutShort>> look();
    // Walks the list from `beginning`, a new one or one that was cut short, and concludes.
    Task<> run(const CutShort& beginning);

    // How far it is, to be gone on from.
    [[nodiscard]] const std::vector<Range>& ranges() const { return plan_.ranges(); }

private:
    Task<std::vector<Range>> still_there(std::vector<Range> ranges);
    Task<> catch_up(std::int64_t watermark_ms);
    Task<> work();
    Task<> walk(std::size_t number);
    Task<> ask(CreationWalk& walk, Page& page);
    Task<> compare(const PageTurn& turn, SystemTime asked_at);
    Task<bool> whole(const CutShort& beginning);

    Pass& pass_;
    FullPassConfig config_;
    Departures departures_;
    RangePlan plan_{{}, clerk::page_users_max};
};

}  // namespace rollcall::sync
