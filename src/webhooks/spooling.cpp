#include "webhooks/spooling.hpp"

#include "base/failpoint.hpp"
#include "base/log.hpp"
#include "base/together.hpp"
#include "base/trace.hpp"
#include "webhooks/event_job.hpp"
#include "webhooks/sql.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace rollcall::webhooks {
namespace {

using std::chrono::milliseconds;

// What is drained at once must be stored within the time for one answer, however slow commits are:
// no more than one INSERT takes, and no more than this.
constexpr std::size_t drain_batch_max = 64;
// For what nobody waits for.
constexpr milliseconds disk_limit{10'000};
// For a look at the files while a sender waits.
constexpr milliseconds look_limit{200};

std::unexpected<Error> unavailable(std::string message) {
    return fail(ErrorCode::unavailable, std::move(message));
}

// That it was there already says nothing of what the database takes now.
bool taken_now(const Result<Stored>& stored) {
    return stored && !stored->duplicate;
}

}  // namespace

Spooling::Spooling(const WebhookConfig& config, RoleRules roles, Neighbours neighbours)
    : answer_timeout_(config.answer_timeout),
      drain_batch_(std::min(config.batch_max, drain_batch_max)),
      roles_(std::move(roles)),
      to_(neighbours),
      answered_at_(neighbours.clock.now()) {}

Result<void> Spooling::open() {
    auto opened = to_.spool.open([this](std::string_view record) {
        auto event = read_record(record);
        if (!event) return;
        const bool for_review = !job_in(*event).error.empty();
        kept_.try_emplace(std::move(event->svix_id), to_string(event->job_id), for_review, true);
    });
    if (!opened) return opened;
    const spool::SpoolStats& stats = to_.spool.stats();
    log::info("spool_opened",
              {{"events", stats.records}, {"bytes", stats.bytes}, {"damaged", stats.damaged}});
    spooling_ = stats.records > 0;
    took(stats);
    return {};
}

Task<Result<Stored>> Spooling::store(EventJob job, SpooledEvent delivery) {
    const SteadyTime until = to_.clock.steady() + answer_timeout_;
    if (auto stored = co_await known(delivery.svix_id)) co_return *std::move(stored);
    const bool for_review = !job.error.empty();
    auto stored = co_await to_database(std::move(job));
    if (stored || stored.error().code != ErrorCode::unavailable) co_return stored;
    co_return co_await keep(delivery, for_review, until - to_.clock.steady());
}

// What is durable here already is not written again, as long as its file is there.
Task<std::optional<Stored>> Spooling::known(const std::string& svix_id) {
    if (!kept_.contains(svix_id)) co_return std::nullopt;
    const auto seen = co_await to_.spool.survey(look_limit);
    if (!seen) co_return std::nullopt;
    took(*seen);
    const auto found = kept_.find(svix_id);
    if (found == kept_.end() || !found->second.durable) co_return std::nullopt;
    co_return Stored{
        .job_id = found->second.job_id, .duplicate = true, .for_review = found->second.for_review};
}

// The seam for which the spool is: a database that is away is an answer here.
Task<Result<Stored>> Spooling::to_database(EventJob job) {
    try {
        auto stored = co_await to_.intake.store(std::move(job));
        took_another_ = took_another_ || taken_now(stored);
        co_return stored;
    } catch (const Unavailable& away) {
        co_return unavailable(away.what());
    }
}

// An event that is being written; forgotten again unless that is seen to succeed.
class Spooling::Reservation {
public:
    Reservation(KeptEvents& kept, const std::string& svix_id) : kept_(kept), svix_id_(svix_id) {}
    ~Reservation() {
        const auto found = kept_.find(svix_id_);
        if (found != kept_.end() && !found->second.durable) kept_.erase(found);
    }
    Reservation(const Reservation&) = delete;
    Reservation& operator=(const Reservation&) = delete;

    void succeeded() {
        const auto found = kept_.find(svix_id_);
        if (found != kept_.end()) found->second.durable = true;
    }

private:
    KeptEvents& kept_;
    const std::string& svix_id_;
};

Task<Result<Stored>> Spooling::keep(const SpooledEvent& delivery, bool for_review, Duration limit) {
    const auto [place, fresh] =
        kept_.try_emplace(delivery.svix_id, to_string(delivery.job_id), for_review, false);
    if (!fresh && !place->second.durable) co_return unavailable("the same event is being spooled");
    Stored stored{.job_id = place->second.job_id,
                  .duplicate = !fresh,
                  .for_review = for_review,
                  .spooled = true};
    if (!fresh) co_return stored;
    Reservation reservation(kept_, delivery.svix_id);
    const auto kept = co_await to_.spool.append({delivery.received_at, to_record(delivery)}, limit);
    took(to_.spool.stats());
    if (!kept) {
        const bool full = kept.error().code == ErrorCode::rate_limited;
        to_.metrics.appended(full ? SpoolMetrics::Appended::full : SpoolMetrics::Appended::failed);
        co_return unavailable(kept.error().message);
    }
    reservation.succeeded();
    took_another_ = false;
    to_.metrics.appended(SpoolMetrics::Appended::kept);
    if (!std::exchange(spooling_, true)) log::warn("spooling_began");
    co_return stored;
}

Task<int> Spooling::drain() {
    if (to_.spool.stats().records == 0) co_return 0;
    auto batch = co_await to_.spool.oldest(drain_batch_, disk_limit);
    if (!batch) throw Unavailable(batch.error().message);
    const std::size_t records = batch->records.size();
    std::vector<Draining> events;
    for (const std::string& record : batch->records) {
        if (auto event = read_record(record)) events.push_back({*std::move(event), {}});
    }
    std::vector<Task<>> stores;
    stores.reserve(events.size());
    for (Draining& one : events) stores.push_back(store_drained(one));
    co_await together(std::move(stores));
    const std::size_t refused = count_refused(events);
    answered_at_ = to_.clock.now();
    failpoint("spooling.after_commit");
    const std::size_t unreadable = records - events.size();
    const auto done =
        co_await to_.spool.done(*std::move(batch), unreadable + refused > 0, disk_limit);
    if (!done) log::warn("spool_file_left", {{"reason", done.error().message}});
    drained(events, unreadable);
    co_return static_cast<int>(records);
}

// How many the database takes in no form at all, not even for review: those are left to a person.
// Throws Unavailable where it took no others either, since then it may not be about them.
std::size_t Spooling::count_refused(const std::vector<Draining>& batch) {
    const Error* why = nullptr;
    std::size_t refused = 0;
    for (const Draining& one : batch) {
        took_another_ = took_another_ || taken_now(one.stored);
        if (one.stored) continue;
        why = &one.stored.error();
        if (why->code == ErrorCode::unavailable) throw Unavailable(why->message);
        ++refused;
    }
    if (refused == 0) return 0;
    if (!took_another_) throw Unavailable(why->message);
    log::error("spool_event_refused", {{"events", refused}, {"reason", why->message}});
    return refused;
}

// As on arrival. An event of a type that only another build handles is acknowledged all the same.
EventJob Spooling::job_in(const SpooledEvent& event) {
    const clerk::Event parsed = parser_.parse(event.body);
    auto job = job_of(parsed, event.sent_at, roles_);
    return job ? *std::move(job) : job_of_unhandled(parsed, event.sent_at);
}

// As on arrival, but for when that was.
Task<> Spooling::store_drained(Draining& one) {
    const SpooledEvent& event = one.event;
    EventJob job = job_in(event);
    job.id = event.job_id;
    job.event_id = event.svix_id;
    job.original_event = storable(event.body);
    job.arrived_at = event.received_at;
    if (parse_traceparent(event.traceparent)) job.trace = event.traceparent;
    one.stored = co_await to_.intake.store(std::move(job));
}

void Spooling::drained(const std::vector<Draining>& batch, std::size_t unreadable) {
    using Drained = SpoolMetrics::Drained;
    for (const Draining& one : batch) {
        to_.metrics.drained(!one.stored              ? Drained::refused
                            : one.stored->duplicate  ? Drained::duplicate
                            : one.stored->for_review ? Drained::review
                                                     : Drained::stored);
        kept_.erase(one.event.svix_id);
    }
    to_.metrics.drained(Drained::unreadable, unreadable);
    if (unreadable > 0) log::error("spool_event_not_read", {{"events", unreadable}});
    drained_events_ += batch.size();
    moved_at_ = to_.clock.now();
    const spool::SpoolStats& stats = to_.spool.stats();
    took(stats);
    if (stats.records > 0 || !std::exchange(spooling_, false)) return;
    log::info("spool_drained", {{"events", std::exchange(drained_events_, 0)}});
}

// Where records were taken away nobody knows which: each may have to be kept again.
void Spooling::took(const spool::SpoolStats& stats) {
    to_.metrics.holds(stats);
    if (stats.lost == lost_) return;
    lost_ = stats.lost;
    std::erase_if(kept_, [](const auto& entry) { return entry.second.durable; });
}

Task<> Spooling::report(pg::Pool& pool, std::string_view place, std::string_view instance) {
    const auto seen = co_await to_.spool.survey(disk_limit);
    const spool::SpoolStats stats = seen.value_or(to_.spool.stats());
    took(stats);
    const auto age = [now = to_.clock.now()](pg::Params& params,
                                             const std::optional<SystemTime>& time) {
        time ? params.bigint(std::max<std::int64_t>((now - *time).count(), 0)) : params.null();
    };
    pg::Params params;
    params.text(place).text(instance).bigint(static_cast<std::int64_t>(stats.records));
    params.bigint(static_cast<std::int64_t>(stats.bytes));
    age(params, stats.oldest);
    // What waits has not stood still as long as the database was away.
    if (!std::exchange(answers_, false)) moved_at_ = to_.clock.now();
    age(params, moved_at_);
    params.bigint(static_cast<std::int64_t>(stats.damaged));
    co_await pool.execute(sql::report_spool, params);
    answers_ = true;
    answered_at_ = to_.clock.now();
}

std::optional<SystemTime> Spooling::silent_since() const {
    const auto oldest = to_.spool.stats().oldest;
    if (!oldest) return std::nullopt;
    return std::max(*oldest, answered_at_);
}

}  // namespace rollcall::webhooks
