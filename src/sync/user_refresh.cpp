#include "sync/user_refresh.hpp"

#include "base/log.hpp"
#include "base/wakeup.hpp"
#include "jobs/work_loop.hpp"

#include <chrono>
#include <optional>
#include <utility>
#include <variant>

namespace rollcall::sync {
namespace {

using directory::Outcome;

// A user whom Clerk does not know is asked for once more; a person waits for that.
constexpr int looks_max = 3;
constexpr std::chrono::milliseconds pause_max{10'000};
constexpr std::chrono::seconds shared_wait{60};

void count(RunSummary& summary, const directory::AppliedRead& applied) {
    summary.status = RunStatus::completed;
    if (applied.outcome == Outcome::deleted) {
        summary.deleted = 1;
        return;
    }
    summary.seen = 1;
    if (applied.restored) {
        summary.restored = 1;
    } else if (applied.created) {
        summary.created = 1;
    } else if (applied.outcome == Outcome::applied) {
        summary.updated = 1;
    } else {
        summary.unchanged = 1;
    }
}

void fail(RunSummary& summary, RunFailure failure, std::string reason) {
    summary.status = RunStatus::failed;
    summary.failure = failure;
    summary.error = std::move(reason);
}

Task<> ask(Refresh& refresh, std::string clerk_id, std::optional<Refreshed>& answer) {
    answer = co_await refresh.refresh(std::move(clerk_id));
}

}  // namespace

// One question that several callers may share. Each waits on its own.
struct UserRefresh::Flight {
    std::vector<std::shared_ptr<Wakeup>> waiting;
    std::optional<RunSummary> summary;
};

UserRefresh::UserRefresh(RunLedger& runs, MakeLookup make_lookup, UserRefreshConfig config)
    : runs_(runs), make_lookup_(std::move(make_lookup)), config_(config) {}
UserRefresh::~UserRefresh() = default;

Task<RunSummary> UserRefresh::look(std::string clerk_id, RunTrigger trigger,
                                   std::optional<Actor> by) {
    const SteadyTime began = std::chrono::steady_clock::now();
    RunSummary summary;
    summary.mode = RunMode::user;
    summary.run = co_await runs_.begin(RunMode::user, trigger, clerk_id, by);
    const auto lookup = make_lookup_();
    for (int number = 1;; ++number) {
        std::optional<Refreshed> answer;
        const auto asked = co_await jobs::caught(ask(lookup->refresh(), clerk_id, answer));
        if (!asked) {
            log::warn("user_not_refreshed", {{"reason", asked.error().message}});
            const bool away = asked.error().code == ErrorCode::unavailable;
            fail(summary, away ? RunFailure::interrupted : RunFailure::refused_rows,
                 (away ? "The database was away: " : "") + asked.error().message);
            break;
        }
        if (std::holds_alternative<jobs::Completed>(answer->ending)) {
            count(summary, answer->applied);
            break;
        }
        if (answer->held) {
            summary.status = RunStatus::completed;
            summary.held_deletes = 1;
            break;
        }
        if (const auto* failed = std::get_if<jobs::Failed>(&answer->ending)) {
            fail(summary, answer->failure, failed->reason);
            break;
        }
        const auto& retry = std::get<jobs::Retry>(answer->ending);
        const bool soon = retry.delay && *retry.delay <= pause_max;
        if (!soon || number == looks_max) {
            fail(summary, answer->failure, retry.reason);
            break;
        }
        co_await sleep(*retry.delay);
    }
    summary.requests = lookup->requests();
    summary.duration_seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    co_await runs_.finish(summary);
    if (observer_) observer_(summary, trigger);
    co_return summary;
}

Task<Result<RunSummary>> UserRefresh::run(std::string clerk_id, RunTrigger trigger,
                                          std::optional<Actor> by) {
    if (clerk_id.empty() || clerk_id.size() > clerk_id_max) {
        co_return rollcall::fail(ErrorCode::invalid_input, "this cannot be the id of a Clerk user");
    }
    const auto found = flights_.find(clerk_id);
    if (found != flights_.end()) co_return co_await share(found->second);
    if (flights_.size() >= config_.users_max) {
        co_return rollcall::fail(ErrorCode::rate_limited,
                                 "too many users are being refreshed; try again");
    }
    const auto flight = std::make_shared<Flight>();
    flights_.emplace(clerk_id, flight);
    // However it ends, nobody waits any longer and the next call asks anew.
    struct Landing {
        UserRefresh& refresh;
        const std::string& clerk_id;
        Flight& flight;
        ~Landing() {
            refresh.flights_.erase(clerk_id);
            for (const auto& waiter : flight.waiting) waiter->wake();
        }
    } landing{.refresh = *this, .clerk_id = clerk_id, .flight = *flight};
    flight->summary = co_await look(clerk_id, trigger, std::move(by));
    co_return *flight->summary;
}

Task<Result<RunSummary>> UserRefresh::share(std::shared_ptr<Flight> flight) {
    const auto landed = std::make_shared<Wakeup>(co_await asio::this_coro::executor);
    flight->waiting.push_back(landed);
    co_await landed->wait(shared_wait);
    if (!flight->summary) throw Unavailable("the refresh of this user did not come to its end");
    co_return *flight->summary;
}

}  // namespace rollcall::sync
