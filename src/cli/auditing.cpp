#include "cli/auditing.hpp"

#include "audit/audit_log.hpp"

namespace rollcall::cli {
namespace {

constexpr std::chrono::seconds count_interval{5};
constexpr std::chrono::hours prune_interval{1};
// How many entries go in one statement.
constexpr int pruned_max = 1'000;

}  // namespace

Auditing::Auditing(Executor executor, pg::Pool& pool, std::chrono::milliseconds kept,
                   MetricsRegistry& metrics)
    : counter_(pool, metrics),
      counting_(executor,
                {.name = "audit_counting",
                 .full_pass = audit::EntryCounter::batch,
                 .poll_interval = [] { return count_interval; }},
                [this] { return counter_.look(); }),
      pruning_(executor,
               {.name = "audit_pruning",
                .full_pass = pruned_max,
                .poll_interval = [] { return prune_interval; }},
               [&pool, kept] { return audit::prune(pool, kept, pruned_max); }) {}

void Auditing::open() {
    counting_.start();
    pruning_.start();
}

Task<> Auditing::stop() {
    co_await counting_.stop();
    co_await pruning_.stop();
}

}  // namespace rollcall::cli
