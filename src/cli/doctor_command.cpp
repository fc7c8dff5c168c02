// rollcall doctor: looks at everything that a deployment needs, a line of advice each.
#include "cli/commands.hpp"
#include "cli/doctor.hpp"
#include "cli/one_shot.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <optional>

namespace rollcall::cli {
namespace {

std::string advice_on(const Error& database) {
    if (database.code == ErrorCode::unavailable) {
        return "check DATABASE_URL: host, port, database, user, password, sslmode";
    }
    return "may this database role do it? Run rollcall as the role that ran migrate";
}

// A neighbour that is away, or says no in an unexpected way, is a finding like any other.
int examine(const Globals& globals) {
    const auto settings = load_settings(globals, {});
    if (!settings) return report(settings.error());
    Findings findings;
    const auto config = make_config(*settings, {.database = true});
    if (!config) {
        findings.fail("config", config.error(), "see docs/configuration.md, or rollcall.toml");
        if (globals.json) fmt::print("{}", findings.as_json());
        return report(config.error());
    }
    log::configure(log::Level::error, config->log_format);

    check_settings(*settings, *config, findings);
    bool has_schema = false;
    const auto database = try_once(*config, [&](pg::Pool& pool) -> Task<int> {
        has_schema = co_await check_database(pool, *config, findings);
        co_return exit_ok;
    });
    if (!database) findings.fail("database", database.error(), advice_on(database.error()));
    std::optional<clerk::Instance> instance;
    const auto clerk = try_once(*config, [&](pg::Pool&) -> Task<int> {
        instance = co_await check_clerk(co_await asio::this_coro::executor, *config, findings);
        co_return exit_ok;
    });
    if (!clerk) {
        findings.fail("clerk", clerk.error(),
                      "check CLERK_API_URL, and the network from here to " + config->clerk.url);
    }
    const auto polling = try_once(*config, [&](pg::Pool& pool) -> Task<int> {
        if (has_schema) co_await check_polling(pool, *config, instance, findings);
        co_return exit_ok;
    });
    if (!polling) findings.fail("sync", polling.error(), advice_on(polling.error()));
    fmt::print("{}", globals.json ? findings.as_json() : findings.as_text());
    if (findings.bad_configuration()) return exit_configuration;
    return findings.any_failed() ? exit_found : exit_ok;
}

}  // namespace

void add_doctor_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* command = app.add_subcommand(
        "doctor",
        "Checks configuration, database, clock, schema, users table, queue, webhook secret, Clerk "
        "and "
        "polling; a line of advice each. 1 when something is wrong, 78 when the settings are");
    command->callback([&globals, &exit_code] { exit_code = examine(globals); });
}

}  // namespace rollcall::cli
