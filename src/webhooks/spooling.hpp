// Webhooks while the database is away: kept in a spool on this machine, and stored from it, in the
// order of their arrival, when the database is back. An event is in the spool, in the queue, or for
// a moment in both: its id makes it one job all the same. docs/spool.md is the manual.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "clerk/event.hpp"
#include "pg/pool.hpp"
#include "spool/spool.hpp"
#include "webhooks/config.hpp"
#include "webhooks/intake.hpp"
#include "webhooks/spool_metrics.hpp"
#include "webhooks/spooled_event.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace rollcall::webhooks {

class Spooling {
public:
    struct Neighbours {  // all must outlive this
        spool::Spool& spool;
        Intake& intake;  // gives up early enough before `answer_timeout` for the disk to be asked
        const Clock& clock;
        SpoolMetrics& metrics;
    };
    // Of `config` the time for an answer, and how much one INSERT takes.
    Spooling(const WebhookConfig& config, RoleRules roles, Neighbours neighbours);
    Spooling(const Spooling&) = delete;
    Spooling& operator=(const Spooling&) = delete;

    // Opens the spool; see there. Before all else.
    Result<void> open();

    // As Intake::store(), of which nothing is thrown here: where the database does not take `job`
    // in time, `delivery`, which it was made of, is durable in the spool. `unavailable` when that
    // fails, too; another error when the database is there and refuses this one.
    Task<Result<Stored>> store(EventJob job, SpooledEvent delivery);

    // A pass of a work loop: stores the oldest events, returns how many these were. What cannot be
    // read, or the database refuses for good while it takes others, is left in its file, which is
    // put aside for a person. Throws Unavailable while the database does not take them.
    Task<int> drain();

    // Tells the database what there is, at `place`; that it answered counts for silent_since().
    Task<> report(pg::Pool& pool, std::string_view place, std::string_view instance);

    // Since when events have waited while the database did not answer; nothing when it does, or
    // none waits.
    [[nodiscard]] std::optional<SystemTime> silent_since() const;
    [[nodiscard]] const spool::SpoolStats& stats() const { return to_.spool.stats(); }

    // In force from the next event on.
    void use(RoleRules roles) { roles_ = std::move(roles); }

private:
    struct Kept {
        std::string job_id;
        bool for_review = false;
        bool durable = false;  // else it is being written
    };
    using KeptEvents = std::unordered_map<std::string, Kept>;  // by svix id
    class Reservation;
    struct Draining {
        SpooledEvent event;
        Result<Stored> stored;
    };

    Task<std::optional<Stored>> known(const std::string& svix_id);
    Task<Result<Stored>> to_database(EventJob job);
    Task<Result<Stored>> keep(const SpooledEvent& delivery, bool for_review, Duration limit);
    EventJob job_in(const SpooledEvent& event);
    Task<> store_drained(Draining& one);
    std::size_t count_refused(const std::vector<Draining>& batch);
    void drained(const std::vector<Draining>& batch, std::size_t unreadable);
    void took(const spool::SpoolStats& stats);

    const std::chrono::milliseconds answer_timeout_;
    const std::size_t drain_batch_;
    RoleRules roles_;
    Neighbours to_;
    clerk::EventParser parser_;
    KeptEvents kept_;                 // bounded by what the spool holds
    std::size_t lost_ = 0;            // of the spool's records, as last seen
    bool took_another_ = false;       // the database, since the last one was spooled
    bool spooling_ = false;           // said in the log
    std::size_t drained_events_ = 0;  // since then
    // When an event last came out, or the database began to answer.
    std::optional<SystemTime> moved_at_;
    SystemTime answered_at_;  // by the database
    bool answers_ = false;    // the last report()
};

}  // namespace rollcall::webhooks
