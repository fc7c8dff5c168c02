// One attempt to make the table follow Clerk: what is asked for, and what came of it. The names are
// those of `rollcall.sync_runs`, of `sync --json` and of the cron route's answer.
#pragma once

#include "base/actor.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::sync {

enum class RunMode : std::uint8_t { incremental, full, user };
enum class RunTrigger : std::uint8_t { schedule, start, cron, cli, admin, gate, job };
enum class RunStatus : std::uint8_t { running, completed, incomplete, failed };

// Why a run did not complete; for exit codes and alerts, the words are in RunSummary::error.
enum class RunFailure : std::uint8_t {
    none,
    clerk_away,      // no answer, faults, too many requests
    wrong_key,       // Clerk refuses the secret key
    other_instance,  // the key is of another Clerk instance than the one this database is filled
                     // from
    inconsistent,    // what Clerk listed cannot be all: nothing was concluded from it
    refused_rows,    // the users table took some users not, or the database refused something
    interrupted,     // by interrupt(), or because the lease was lost or the database away
    killed,          // it left no word of its end
};

// What a failure makes of a run. Clerk's faults fail it; a list that cannot be all, rows that were
// not taken and a stop leave it incomplete.
[[nodiscard]] RunStatus status_of(RunFailure failure);
// What an error of Clerk's answer is to a run.
[[nodiscard]] RunFailure failure_of(ErrorCode code);

[[nodiscard]] std::string_view to_string(RunMode mode);
[[nodiscard]] std::string_view to_string(RunTrigger trigger);
[[nodiscard]] std::string_view to_string(RunStatus status);
[[nodiscard]] std::string_view to_string(RunFailure failure);
[[nodiscard]] std::optional<RunMode> parse_run_mode(std::string_view name);
[[nodiscard]] std::optional<RunTrigger> parse_run_trigger(std::string_view name);
[[nodiscard]] std::optional<RunStatus> parse_run_status(std::string_view name);
[[nodiscard]] std::optional<RunFailure> parse_run_failure(std::string_view name);

struct RunRequest {
    // incremental becomes full while there is nothing to start from. user is UserRefresh's.
    RunMode mode = RunMode::incremental;
    RunTrigger trigger = RunTrigger::cli;
    bool dry_run = false;       // compares only: writes nothing, and no row in sync_runs
    bool start_anew = false;    // a complete pass that was cut short is not continued
    std::optional<Actor> by{};  // who asked for it, for the audit log; nothing: no person did
};

// Where the table differed from Clerk, before it was repaired.
struct Drift {
    std::int64_t missing = 0;  // users without a living row
    std::int64_t stale = 0;    // rows with another content
    std::int64_t extra = 0;    // living rows of users that Clerk does not have
    [[nodiscard]] bool none() const { return missing == 0 && stale == 0 && extra == 0; }
};

struct RunSummary {
    std::int64_t run = 0;  // sync_runs.id; 0 of a dry run
    RunMode mode = RunMode::incremental;
    RunStatus status = RunStatus::running;
    std::int64_t seen = 0;  // users that Clerk listed, each once
    std::int64_t created = 0;
    std::int64_t updated = 0;
    std::int64_t unchanged = 0;
    std::int64_t deleted = 0;
    std::int64_t restored = 0;
    std::int64_t held_deletes = 0;
    std::int64_t pages = 0;
    std::int64_t requests = 0;
    double duration_seconds = 0;
    std::optional<std::string> error;  // no personal data

    RunFailure failure = RunFailure::none;
    Drift found;
};

// Told of each run that has ended and is on record, dry ones aside. Must not wait.
using RunObserver = std::function<void(const RunSummary& summary, RunTrigger trigger)>;

// One object with exactly the names that the contract has for it.
[[nodiscard]] std::string to_json(const RunSummary& summary);

}  // namespace rollcall::sync
