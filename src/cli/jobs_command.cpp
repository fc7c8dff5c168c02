// rollcall jobs: the queue from a shell.
#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/config.hpp"
#include "cli/job_text.hpp"
#include "cli/one_shot.hpp"
#include "jobs/queue_admin.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <memory>

namespace rollcall::cli {
namespace {

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

void add_list(CLI::App& jobs_app, const Globals& globals, int& exit_code) {
    auto* command = jobs_app.add_subcommand("list", "Jobs, newest first");
    const auto filter = std::make_shared<jobs::JobFilter>();
    command->add_option("--status", filter->status, "Status of the jobs")
        ->check(CLI::IsMember({"PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED"}));
    command->add_option("--kind", filter->kind, "Job type, as USER_CREATED");
    command->add_option("--subject", filter->subject, "Clerk id");
    command->add_option("--event", filter->event_id, "Svix message id");
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
            fmt::print("{}", globals.json ? to_json(*job) : to_text(*job));
            co_return exit_ok;
        });
    });
}

void add_change(CLI::App& jobs_app, const std::string& verb, const std::string& description,
                Task<Result<void>> (jobs::QueueAdmin::*change)(std::string_view),
                const Globals& globals, int& exit_code) {
    auto* command = jobs_app.add_subcommand(verb, description);
    const auto id = std::make_shared<std::string>();
    command->add_option("id", *id, "Job id")->required();
    command->callback([id, verb, change, &globals, &exit_code] {
        exit_code = with_queue(globals, [&](jobs::QueueAdmin& admin) -> Task<int> {
            const auto changed = co_await (admin.*change)(*id);
            // An unknown id or a state that forbids it: something is wrong, nothing to try again.
            if (!changed) co_return report(Error{ErrorCode::not_found, changed.error().message});
            if (globals.json) {
                fmt::print("{{\"id\":{},\"{}\":true}}\n", json_string(*id), verb);
            } else {
                fmt::print("{} {}\n", verb == "retry" ? "pending again:" : "cancelled:", *id);
            }
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
    add_change(*jobs_app, "retry", "Sets a FAILED or CANCELLED job going again",
               &jobs::QueueAdmin::retry, globals, exit_code);
    add_change(*jobs_app, "cancel", "Cancels a PENDING or PROCESSING job",
               &jobs::QueueAdmin::cancel, globals, exit_code);
    add_stats(*jobs_app, globals, exit_code);
}

}  // namespace rollcall::cli
