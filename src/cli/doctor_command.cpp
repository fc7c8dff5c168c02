// rollcall doctor: looks at everything that a deployment needs, a line of advice each.
#include "cli/commands.hpp"
#include "cli/doctor.hpp"
#include "cli/one_shot.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>

namespace rollcall::cli {
namespace {

int examine(const Globals& globals) {
    const auto settings = load_settings(globals, {});
    if (!settings) return report(settings.error());
    const auto config = make_config(*settings, {.database = true});
    if (!config) return report(config.error());
    log::configure(log::Level::error, config->log_format);

    Findings findings;
    check_settings(*settings, *config, findings);
    const int code = run_once(*config, [&](pg::Pool& pool) -> Task<int> {
        co_await check_database(pool, *config, findings);
        co_await check_clerk(co_await asio::this_coro::executor, *config, findings);
        co_return exit_ok;
    });
    fmt::print("{}", globals.json ? findings.as_json() : findings.as_text());
    if (code != exit_ok) return code;
    return findings.any_failed() ? exit_found : exit_ok;
}

}  // namespace

void add_doctor_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* command = app.add_subcommand(
        "doctor",
        "Checks configuration, database, schema, Clerk, clock, webhook secret and queue; a line of "
        "advice each. 1 when something is wrong");
    command->callback([&globals, &exit_code] { exit_code = examine(globals); });
}

}  // namespace rollcall::cli
