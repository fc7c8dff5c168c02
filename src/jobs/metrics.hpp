// The queue's metrics, registered at zero for every known kind. `queue` is "users" (changes of
// users: claimed, applied and completed in one transaction), "effects" (leased: work that reaches
// outside the database) or "mirror" (leased likewise, in a lane of its own). A kind that rollcall
// does not know is labelled "other".
#pragma once

#include "base/metrics.hpp"

#include <chrono>
#include <map>
#include <string>
#include <string_view>

namespace rollcall::jobs {

inline constexpr std::string_view queue_users = "users";
inline constexpr std::string_view queue_effects = "effects";
inline constexpr std::string_view queue_mirror = "mirror";

// The queue that works off `kind`.
[[nodiscard]] std::string_view queue_of(std::string_view kind);
// `kind` itself when rollcall knows it, else "other": what may stand in a label.
[[nodiscard]] std::string_view kind_label(std::string_view kind);

class Metrics {
public:
    explicit Metrics(MetricsRegistry& registry);  // must outlive the metrics
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    enum class Source { webhook, poll, manual, retry };
    enum class Ending { ok, noop, superseded, retry, dead, cancelled };
    using Seconds = std::chrono::duration<double>;

    void enqueued(std::string_view kind, Source source, int count = 1);
    // One attempt is over. `attempts` counts it; it is observed when the job is finished.
    void ended(std::string_view kind, Ending ending, int attempts, int count = 1);
    void ran(std::string_view kind, Seconds duration);
    void waited(std::string_view queue, Seconds ready_to_claimed);
    // Clerk's event time to committed row.
    void end_to_end(std::string_view kind, Seconds duration);
    void claimed(std::string_view queue, Seconds duration, int count);
    void rescued(std::string_view queue, int count);
    void leader(std::string_view role, bool leads);
    // The users table takes no change at all: all of them wait.
    void users_table_takes_no_change(bool standstill);

    // What one statement counted; see Chores.
    struct Depth {
        double ready = 0;
        double scheduled = 0;  // never tried, due later
        double running = 0;
        double retry = 0;  // waits for its next attempt
        double dead = 0;
        double oldest_ready_age_seconds = 0;
    };
    // One of a queue that this build does not know (the schema is newer) is ignored.
    void depth(std::string_view queue, const Depth& depth);

    // Lanes or slots that may run at once, and those that do.
    prometheus::Gauge& workers(std::string_view queue);
    prometheus::Gauge& workers_busy(std::string_view queue);

private:
    struct Kind {
        std::map<Source, prometheus::Counter*> enqueued;
        std::map<Ending, prometheus::Counter*> ended;
        prometheus::Histogram* duration = nullptr;
        prometheus::Histogram* end_to_end = nullptr;
        prometheus::Histogram* attempts = nullptr;
    };
    struct Queue {
        prometheus::Histogram* wait = nullptr;
        prometheus::Histogram* claim_duration = nullptr;
        prometheus::Histogram* claim_batch = nullptr;
        prometheus::Counter* rescued = nullptr;
        std::map<std::string, prometheus::Gauge*, std::less<>> depth;
        prometheus::Gauge* oldest = nullptr;
        prometheus::Gauge* workers = nullptr;
        prometheus::Gauge* busy = nullptr;
    };
    void add_queue(MetricsRegistry& registry, const std::string& name);
    void add_kind(MetricsRegistry& registry, const std::string& name);
    Kind& kind(std::string_view name);
    Queue& queue(std::string_view name);

    std::map<std::string, Kind, std::less<>> kinds_;
    std::map<std::string, Queue, std::less<>> queues_;
    prometheus::Family<prometheus::Gauge>& leader_;
    prometheus::Gauge& takes_no_change_;
};

}  // namespace rollcall::jobs
