#include "sync/run.hpp"

#include "base/json.hpp"

#include <fmt/format.h>
#include <array>
#include <utility>

namespace rollcall::sync {
namespace {

template <class E, std::size_t N>
using Names = std::array<std::pair<E, std::string_view>, N>;

constexpr Names<RunMode, 3> modes{{
    {RunMode::incremental, "incremental"},
    {RunMode::full, "full"},
    {RunMode::user, "user"},
}};
constexpr Names<RunTrigger, 7> triggers{{
    {RunTrigger::schedule, "schedule"},
    {RunTrigger::start, "start"},
    {RunTrigger::cron, "cron"},
    {RunTrigger::cli, "cli"},
    {RunTrigger::admin, "admin"},
    {RunTrigger::gate, "gate"},
    {RunTrigger::job, "job"},
}};
constexpr Names<RunStatus, 4> statuses{{
    {RunStatus::running, "running"},
    {RunStatus::completed, "completed"},
    {RunStatus::incomplete, "incomplete"},
    {RunStatus::failed, "failed"},
}};
constexpr Names<RunFailure, 8> failures{{
    {RunFailure::none, "none"},
    {RunFailure::clerk_away, "clerk_away"},
    {RunFailure::wrong_key, "wrong_key"},
    {RunFailure::other_instance, "other_instance"},
    {RunFailure::inconsistent, "inconsistent"},
    {RunFailure::refused_rows, "refused_rows"},
    {RunFailure::interrupted, "interrupted"},
    {RunFailure::killed, "killed"},
}};

template <class E, std::size_t N>
std::string_view name_of(E value, const Names<E, N>& names) {
    for (const auto& [one, name] : names) {
        if (one == value) return name;
    }
    return "";
}

template <class E, std::size_t N>
std::optional<E> value_of(std::string_view text, const Names<E, N>& names) {
    for (const auto& [one, name] : names) {
        if (name == text) return one;
    }
    return std::nullopt;
}

}  // namespace

RunStatus status_of(RunFailure failure) {
    switch (failure) {
        case RunFailure::none:
            return RunStatus::completed;
        case RunFailure::clerk_away:
        case RunFailure::wrong_key:
        case RunFailure::other_instance:
            return RunStatus::failed;
        case RunFailure::inconsistent:
        case RunFailure::refused_rows:
        case RunFailure::interrupted:
        case RunFailure::killed:
            break;
    }
    return RunStatus::incomplete;
}

RunFailure failure_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::unauthenticated:
        case ErrorCode::forbidden:
            return RunFailure::wrong_key;
        case ErrorCode::unavailable:
        case ErrorCode::rate_limited:
            return RunFailure::clerk_away;
        default:
            return RunFailure::inconsistent;
    }
}

std::string_view to_string(RunMode mode) {
    return name_of(mode, modes);
}
std::string_view to_string(RunTrigger trigger) {
    return name_of(trigger, triggers);
}
std::string_view to_string(RunStatus status) {
    return name_of(status, statuses);
}
std::string_view to_string(RunFailure failure) {
    return name_of(failure, failures);
}
std::optional<RunMode> parse_run_mode(std::string_view name) {
    return value_of(name, modes);
}
std::optional<RunTrigger> parse_run_trigger(std::string_view name) {
    return value_of(name, triggers);
}
std::optional<RunStatus> parse_run_status(std::string_view name) {
    return value_of(name, statuses);
}
std::optional<RunFailure> parse_run_failure(std::string_view name) {
    return value_of(name, failures);
}

std::string to_json(const RunSummary& summary) {
    return fmt::format(
        R"({{"mode":"{}","status":"{}","seen":{},"created":{},"updated":{},"unchanged":{},)"
        R"("deleted":{},"restored":{},"held_deletes":{},"pages":{},"requests":{},)"
        R"("duration_seconds":{:.3f},"error":{}}})",
        to_string(summary.mode), to_string(summary.status), summary.seen, summary.created,
        summary.updated, summary.unchanged, summary.deleted, summary.restored, summary.held_deletes,
        summary.pages, summary.requests, summary.duration_seconds,
        summary.error ? json_string(*summary.error) : "null");
}

}  // namespace rollcall::sync
