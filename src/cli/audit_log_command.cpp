// rollcall audit-log: who changed what by hand, newest first.
#include "admin/job_json.hpp"
#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "cli/commands.hpp"
#include "cli/one_shot.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <cstdint>
#include <memory>
#include <string>

namespace rollcall::cli {
namespace {

std::string to_text(const audit::EntryPage& page) {
    std::string out = fmt::format("{:<27}  {:<7}  {:<16}  {:<15}  {:<36}  {}\n", "AT", "ACTOR",
                                  "NAME", "ACTION", "TARGET", "DETAIL");
    for (const audit::StoredEntry& entry : page.entries) {
        out += fmt::format("{:<27}  {:<7}  {:<16}  {:<15}  {:<36}  {}{}\n", entry.at, entry.actor,
                           entry.actor_name.empty() ? entry.actor_ip : entry.actor_name,
                           entry.action, entry.target, entry.detail == "{}" ? "" : entry.detail,
                           entry.reason.empty() ? "" : " (" + entry.reason + ")");
    }
    if (page.next) out += fmt::format("more: --after {}\n", *page.next);
    return out;
}

int show(const Globals& globals, const audit::EntryFilter& filter) {
    const auto config = load_config(globals, {}, {.database = true});
    if (!config) return report(config.error());
    return run_once(*config, [&](pg::Pool& pool) -> Task<int> {
        if (auto ready = co_await has_schema(pool); !ready) co_return report(ready.error());
        const auto page = co_await audit::list(pool, filter);
        fmt::print("{}", globals.json ? admin::to_json(page) : to_text(page));
        co_return exit_ok;
    });
}

}  // namespace

void add_audit_log_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* command =
        app.add_subcommand("audit-log", "Who changed what by hand, and who was given which role");
    const auto filter = std::make_shared<audit::EntryFilter>();
    command->add_option("--action", filter->action, "As job.retry");
    command->add_option("--target", filter->target, "A job's id, a Clerk id");
    command
        ->add_option_function<std::string>(
            "--since", [filter](const std::string& text) { filter->since = parse_duration(text); },
            "Within so long, as 90m or 1d")
        ->check([](const std::string& text) {
            return parse_duration(text) ? std::string() : "must be a duration, as 90m or 1d";
        });
    command->add_option("--limit", filter->limit, "At most so many (50)")
        ->check(CLI::Range(1, 500));
    command->add_option("--after", filter->before, "Next page: the value the last one ended with")
        ->check(CLI::PositiveNumber);
    command->callback([filter, &globals, &exit_code] { exit_code = show(globals, *filter); });
}

}  // namespace rollcall::cli
