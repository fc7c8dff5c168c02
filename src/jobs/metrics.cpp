#include "jobs/metrics.hpp"

#include "base/result.hpp"
#include "jobs/job.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace rollcall::jobs {
namespace {

constexpr std::string_view other = "other";

constexpr std::array sources{
    std::pair{Metrics::Source::webhook, "webhook"}, std::pair{Metrics::Source::poll, "poll"},
    std::pair{Metrics::Source::manual, "manual"}, std::pair{Metrics::Source::retry, "retry"}};

constexpr std::array endings{std::pair{Metrics::Ending::ok, "ok"},
                             std::pair{Metrics::Ending::noop, "noop"},
                             std::pair{Metrics::Ending::superseded, "superseded"},
                             std::pair{Metrics::Ending::retry, "retry"},
                             std::pair{Metrics::Ending::dead, "dead"},
                             std::pair{Metrics::Ending::cancelled, "cancelled"}};

constexpr std::array queues{queue_users, queue_effects, queue_mirror};

constexpr std::array states{"ready", "scheduled", "running", "retry", "dead"};

}  // namespace

std::string_view queue_of(std::string_view kind) {
    // Worked off without a lease.
    if (kind == user_created || kind == user_updated || kind == user_deleted ||
        kind == revoke_session) {
        return queue_users;
    }
    return kind == mirror_user ? queue_mirror : queue_effects;
}

std::string_view kind_label(std::string_view kind) {
    const auto* const found = std::ranges::find(own_kinds, kind);
    return found == own_kinds.end() ? other : *found;
}

Metrics::Metrics(MetricsRegistry& registry)
    : leader_(registry.gauge("rollcall_leader", "Whether this instance has the duty.")),
      takes_no_change_(registry
                           .gauge("rollcall_users_table_takes_no_change",
                                  "1 while the users table refuses every change, and all wait.")
                           .Add({})) {
    leader_.Add({{"role", "chores"}});
    for (const auto name : queues) add_queue(registry, std::string(name));
    for (const auto name : own_kinds) add_kind(registry, std::string(name));
    add_kind(registry, std::string(other));
}

void Metrics::add_queue(MetricsRegistry& registry, const std::string& name) {
    const Labels label{{"queue", name}};
    Queue queue;
    queue.wait = &registry.histogram("rollcall_job_wait_seconds", "From ready to claimed.")
                      .Add(label, wait_buckets());
    queue.claim_duration =
        &registry.histogram("rollcall_claim_duration_seconds", "One claim of jobs.")
             .Add(label, duration_buckets());
    queue.claim_batch =
        &registry.histogram("rollcall_claim_batch_jobs", "Jobs that one claim returned.")
             .Add(label, prometheus::Histogram::BucketBoundaries{0, 1, 2, 4, 8, 16, 32, 64, 128,
                                                                 256, 512, 1024});
    queue.rescued =
        &registry
             .counter("rollcall_jobs_rescued_total", "Jobs taken back after their lease lapsed.")
             .Add(label);
    auto& jobs =
        registry.gauge("rollcall_queue_jobs", "Jobs that are not finished, and dead letters.");
    for (const auto* state : states) {
        queue.depth.emplace(state, &jobs.Add({{"queue", name}, {"state", state}}));
    }
    // Claims cannot be paused; dashboards find the name all the same.
    registry.gauge("rollcall_queue_paused", "1 while no job is claimed on request.").Add(label);
    queue.oldest = &registry
                        .gauge("rollcall_queue_oldest_ready_age_seconds",
                               "How long the oldest due job has been due; of the mirror, how long "
                               "the oldest that is not done has been there.")
                        .Add(label);
    queue.workers =
        &registry.gauge("rollcall_workers", "Jobs or passes that may run at once.").Add(label);
    queue.busy = &registry.gauge("rollcall_workers_busy", "Jobs or passes that run.").Add(label);
    queues_.emplace(name, std::move(queue));
}

void Metrics::add_kind(MetricsRegistry& registry, const std::string& name) {
    const std::string queue(queue_of(name));
    Kind kind;
    auto& enqueued = registry.counter("rollcall_jobs_enqueued_total", "Jobs added.");
    for (const auto& [source, label] : sources) {
        kind.enqueued.emplace(source,
                              &enqueued.Add({{"queue", queue}, {"kind", name}, {"source", label}}));
    }
    auto& ended = registry.counter("rollcall_jobs_completed_total", "Attempts that ended.");
    for (const auto& [ending, label] : endings) {
        kind.ended.emplace(ending,
                           &ended.Add({{"queue", queue}, {"kind", name}, {"result", label}}));
    }
    kind.duration = &registry.histogram("rollcall_job_duration_seconds", "Run time of one attempt.")
                         .Add({{"queue", queue}, {"kind", name}}, duration_buckets());
    kind.end_to_end = &registry
                           .histogram("rollcall_job_end_to_end_seconds",
                                      "From the event's time at Clerk to the committed row.")
                           .Add({{"kind", name}}, wait_buckets());
    kind.attempts = &registry.histogram("rollcall_job_attempts", "Attempts that finished jobs had.")
                         .Add({{"kind", name}},
                              prometheus::Histogram::BucketBoundaries{1, 2, 3, 5, 10, 20, 50});
    kinds_.emplace(name, std::move(kind));
}

Metrics::Kind& Metrics::kind(std::string_view name) {
    return kinds_.find(kind_label(name))->second;
}

Metrics::Queue& Metrics::queue(std::string_view name) {
    const auto found = queues_.find(name);
    ensure(found != queues_.end(), "metrics: no such queue");
    return found->second;
}

void Metrics::enqueued(std::string_view name, Source source, int count) {
    kind(name).enqueued.at(source)->Increment(count);
}

void Metrics::ended(std::string_view name, Ending ending, int attempts, int count) {
    Kind& family = kind(name);
    family.ended.at(ending)->Increment(count);
    if (ending == Ending::retry) return;
    for (int i = 0; i < count; ++i) family.attempts->Observe(attempts);
}

void Metrics::ran(std::string_view name, Seconds duration) {
    kind(name).duration->Observe(duration.count());
}

void Metrics::waited(std::string_view name, Seconds ready_to_claimed) {
    queue(name).wait->Observe(ready_to_claimed.count());
}

void Metrics::end_to_end(std::string_view name, Seconds duration) {
    kind(name).end_to_end->Observe(duration.count());
}

void Metrics::claimed(std::string_view name, Seconds duration, int count) {
    Queue& family = queue(name);
    family.claim_duration->Observe(duration.count());
    family.claim_batch->Observe(count);
}

void Metrics::rescued(std::string_view name, int count) {
    queue(name).rescued->Increment(count);
}

void Metrics::users_table_takes_no_change(bool standstill) {
    takes_no_change_.Set(standstill ? 1 : 0);
}

void Metrics::leader(std::string_view role, bool leads) {
    leader_.Add({{"role", std::string(role)}}).Set(leads ? 1 : 0);
}

void Metrics::depth(std::string_view name, const Depth& depth) {
    if (!queues_.contains(name)) return;
    Queue& family = queue(name);
    family.depth.at("ready")->Set(depth.ready);
    family.depth.at("scheduled")->Set(depth.scheduled);
    family.depth.at("running")->Set(depth.running);
    family.depth.at("retry")->Set(depth.retry);
    family.depth.at("dead")->Set(depth.dead);
    family.oldest->Set(depth.oldest_ready_age_seconds);
}

prometheus::Gauge& Metrics::workers(std::string_view name) {
    return *queue(name).workers;
}

prometheus::Gauge& Metrics::workers_busy(std::string_view name) {
    return *queue(name).busy;
}

}  // namespace rollcall::jobs
