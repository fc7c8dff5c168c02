// rollcall jobs: the queue from a shell.
#include "admin/job_json.hpp"
#include "base/clock.hpp"
#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/config.hpp"
#include "cli/job_text.hpp"
#include "cli/one_shot.hpp"
#include "cli/shell_actor.hpp"
#include "jobs/queue_admin.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rollcall::cli {
namespace {

using admin::to_json;

constexpr int change_max = 10'000;

using Work = std::function<Task<int>(jobs::QueueAdmin&)>;

int with_queue(const Globals& globals, const Work& work) {
    const auto config = load_config(globals, {}, {.database = true});
    if (!config) return report(config.error());
    return run_once(*config, [&](pg::Pool& pool) -> Task<int> {
        if (auto ready = co_await has_schema(pool); !ready) co_return report(ready.error());
        jobs::QueueAdmin admin(pool);
        co_return co_await work(admin);
    });
}

// What says which jobs; `statuses` are those that it may be about.
void add_filter(CLI::App& command, jobs::JobFilter& filter,
                const std::vector<std::string>& statuses) {
    command.add_option("--status", filter.status, "Status of the jobs")
        ->check(CLI::IsMember(statuses));
    command.add_option("--kind", filter.kind, "Job type, as USER_CREATED");
    command.add_option("--subject", filter.subject, "Clerk id");
    command.add_option("--event", filter.event_id, "Svix message id");
    command.add_option("--reason", filter.reason, "A part of the error, in any case");
    command
        .add_option_function<std::string>(
            "--since", [&filter](const std::string& text) { filter.since = parse_duration(text); },
            "Created within so long, as 90m or 1d")
        ->check([](const std::string& text) {
            return parse_duration(text) ? std::string() : "must be a duration, as 90m or 1d";
        });
}

void add_list(CLI::App& jobs_app, const Globals& globals, int& exit_code) {
    auto* command = jobs_app.add_subcommand("list", "Jobs, newest first");
    const auto filter = std::make_shared<jobs::JobFilter>();
    add_filter(*command, *filter, {"PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED"});
    command->add_option("--limit", filter->limit, "At most so many (500)")
        ->check(CLI::Range(1, 500));
    command->add_option("--after", filter->after, "Next page: the value the last one ended with");
    command->callback([filter, &globals, &exit_code] {
        exit_code = with_queue(globals, [&](jobs::QueueAdmin& admin) -> Task<int> {
            const auto page = co_await admin.list(*filter);
            if (!page) co_return report(page.error());
            fmt::print("{}", globals.json ? to_json(*page) : to_text(*page));
            co_return exit_ok;
        });
    });
}

void add_show(CLI::App& jobs_app, const Globals& globals, int& exit_code) {
    auto* command = jobs_app.add_subcommand("show", "One job with its payload and its history");
    const auto id = std::make_shared<std::string>();
    command->add_option("id", *id, "Job id")->required();
    command->callback([id, &globals, &exit_code] {
        exit_code = with_queue(globals, [&](jobs::QueueAdmin& admin) -> Task<int> {
            const auto job = co_await admin.show(*id);
            // What can be no id is the id of no job.
            if (!job) co_return report(Error{ErrorCode::not_found, job.error().message});
            fmt::print("{}", globals.json ? to_json(*job, admin::Personal::shown) : to_text(*job));
            co_return exit_ok;
        });
    });
}

struct Change {
    jobs::Verb verb{};
    std::string id{};
    jobs::JobFilter filter{};
    bool all = false;
    bool dry_run = false;
    std::string note{};
};

// Which jobs is said in one way: by an id, by a filter, or by --all.
std::optional<Error> contradiction(const Change& change) {
    const int ways =
        (change.id.empty() ? 0 : 1) + (change.filter.empty() ? 0 : 1) + (change.all ? 1 : 0);
    if (ways == 1 && (change.id.empty() || !change.dry_run)) return std::nullopt;
    if (ways == 0) {
        return Error{ErrorCode::invalid_input, "say which jobs: an id, a filter, or --all"};
    }
    return Error{ErrorCode::invalid_input,
                 "an id, a filter and --all exclude each other; --dry-run is of the last two"};
}

Task<int> change_one(const Globals& globals, const Change& change, jobs::QueueAdmin& queue) {
    const jobs::Order order{.by = shell_actor(), .note = change.note};
    const bool retry = change.verb == jobs::Verb::retry;
    const auto changed =
        retry ? co_await queue.retry(change.id, order) : co_await queue.cancel(change.id, order);
    // An unknown id or a state that forbids it: something is wrong, nothing to try again.
    if (!changed) co_return report(Error{ErrorCode::not_found, changed.error().message});
    if (globals.json) {
        fmt::print("{{\"id\":{},\"{}\":true}}\n", json_string(change.id),
                   retry ? "retry" : "cancel");
    } else {
        fmt::print("{} {}\n", retry ? "pending again:" : "cancelled:", change.id);
    }
    co_return exit_ok;
}

Task<int> change_many(const Globals& globals, const Change& change, jobs::QueueAdmin& queue) {
    const auto changed = co_await queue.change(change.verb, change.filter, change.dry_run,
                                               {.by = shell_actor(), .note = change.note});
    if (!changed) co_return report(changed.error());
    if (globals.json) {
        fmt::print("{}", to_json(change.verb, *changed, change.dry_run));
        co_return exit_ok;
    }
    const auto& ids = change.dry_run ? changed->matched : changed->changed;
    for (const std::string& id : ids) fmt::print("{}\n", id);
    const bool retry = change.verb == jobs::Verb::retry;
    fmt::print("{}{} jobs{}\n", change.dry_run ? "would be changed: " : "", ids.size(),
               change.dry_run ? ""
               : retry        ? " pending again"
                              : " cancelled");
    if (changed->more) fmt::print(stderr, "there are more: run it again\n");
    co_return exit_ok;
}

void add_change(CLI::App& jobs_app, jobs::Verb verb, const std::string& name,
                const std::string& description, const std::vector<std::string>& statuses,
                const Globals& globals, int& exit_code) {
    auto* command = jobs_app.add_subcommand(name, description);
    const auto change = std::make_shared<Change>(Change{.verb = verb});
    change->filter.limit = change_max;
    command->add_option("id", change->id, "Job id");
    add_filter(*command, change->filter, statuses);
    command->add_flag("--all", change->all, "All of rollcall's");
    command->add_option("--limit", change->filter.limit, "At most so many (10000)")
        ->check(CLI::Range(1, change_max));
    command->add_flag("--dry-run", change->dry_run, "Print the ids; change nothing");
    command->add_option("--note", change->note, "Why, for the audit log");
    command->callback([change, &globals, &exit_code] {
        if (const auto wrong = contradiction(*change)) {
            exit_code = report(*wrong);
            return;
        }
        exit_code = with_queue(globals, [&](jobs::QueueAdmin& queue) {
            return change->id.empty() ? change_many(globals, *change, queue)
                                      : change_one(globals, *change, queue);
        });
    });
}

void add_reasons(CLI::App& jobs_app, const Globals& globals, int& exit_code) {
    auto* command = jobs_app.add_subcommand("reasons", "Why jobs were given up, counted");
    const auto kind = std::make_shared<std::optional<std::string>>();
    command->add_option("--kind", *kind, "Job type, as USER_CREATED");
    command->callback([kind, &globals, &exit_code] {
        exit_code = with_queue(globals, [&](jobs::QueueAdmin& queue) -> Task<int> {
            const auto reasons = co_await queue.reasons(*kind);
            fmt::print("{}", globals.json ? to_json(reasons) : to_text(reasons));
            co_return exit_ok;
        });
    });
}

void add_stats(CLI::App& jobs_app, const Globals& globals, int& exit_code) {
    auto* command = jobs_app.add_subcommand("stats", "Jobs by kind and status, and stuck ones");
    command->callback([&globals, &exit_code] {
        exit_code = with_queue(globals, [&](jobs::QueueAdmin& admin) -> Task<int> {
            const auto counts = co_await admin.stats();
            const auto stuck = co_await admin.stuck(std::chrono::hours(1));
            fmt::print("{}", globals.json ? to_json(counts, stuck) : to_text(counts, stuck));
            co_return exit_ok;
        });
    });
}

}  // namespace

void add_jobs_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* jobs_app = app.add_subcommand("jobs", "The queue from a shell");
    jobs_app->require_subcommand(1);
    add_list(*jobs_app, globals, exit_code);
    add_show(*jobs_app, globals, exit_code);
    add_change(
        *jobs_app, jobs::Verb::retry, "retry",
        "Sets a job that FAILED or was CANCELLED going again, or the FAILED ones of a filter",
        {"FAILED", "CANCELLED"}, globals, exit_code);
    add_change(*jobs_app, jobs::Verb::cancel, "cancel",
               "Cancels a PENDING or PROCESSING job, or those of a filter",
               {"PENDING", "PROCESSING"}, globals, exit_code);
    add_reasons(*jobs_app, globals, exit_code);
    add_stats(*jobs_app, globals, exit_code);
}

}  // namespace rollcall::cli
