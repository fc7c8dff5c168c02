// rollcall doctor: looks at everything that a deployment needs, a line of advice each.
#include "cli/commands.hpp"
#include "cli/doctor.hpp"
#include "cli/input.hpp"
#include "cli/one_shot.hpp"
#include "cli/trial.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <memory>
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
    check_machine(*settings, *config, findings);
    check_spool(*config, findings);
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
    const auto supabase = try_once(*config, [&](pg::Pool& pool) -> Task<int> {
        co_await check_supabase(co_await asio::this_coro::executor, *config, findings);
        if (has_schema) co_await check_mirror(pool, *config, findings);
        co_return exit_ok;
    });
    const auto keys = try_once(*config, [&](pg::Pool& pool) -> Task<int> {
        if (has_schema) co_await check_signing_keys(pool, *settings, findings);
        co_return exit_ok;
    });
    if (!keys) findings.fail("signing_keys", keys.error(), advice_on(keys.error()));
    if (!supabase) findings.fail("mirror", supabase.error(), advice_on(supabase.error()));
    const auto polling = try_once(*config, [&](pg::Pool& pool) -> Task<int> {
        if (has_schema) co_await check_polling(pool, *config, instance, findings);
        co_return exit_ok;
    });
    if (!polling) findings.fail("sync", polling.error(), advice_on(polling.error()));
    const auto gate = try_once(*config, [&](pg::Pool&) -> Task<int> {
        co_await check_gate(co_await asio::this_coro::executor, *settings, *config, findings);
        co_return exit_ok;
    });
    if (!gate) {
        findings.fail("gate_keys", gate.error(),
                      "check the key set's address, and the network from here: until it answers "
                      "no session token is believed");
    }
    fmt::print("{}", globals.json ? findings.as_json() : findings.as_text());
    if (findings.bad_configuration()) return exit_configuration;
    return findings.any_failed() ? exit_found : exit_ok;
}

int try_out(const Globals& globals, const SelfTestTarget& target) {
    const auto config = load_config(globals, {}, {});
    if (!config) return report(config.error());
    if (const auto possible = check_self_test(*config, target); !possible) {
        return report(possible.error());
    }
    log::configure(log::Level::error, config->log_format);
    Findings findings;
    auto code = try_once(*config, [&](pg::Pool& pool) -> Task<int> {
        co_return co_await self_test(co_await asio::this_coro::executor, pool, *config, target,
                                     findings);
    });
    if (!code) findings.fail("database", code.error(), advice_on(code.error()));
    fmt::print("{}", globals.json ? findings.as_json() : findings.as_text());
    return code ? *code : exit_unavailable;
}

struct DoctorArguments {
    SelfTestTarget target;
    std::string wait = "60s";
};

}  // namespace

void add_doctor_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* command = app.add_subcommand(
        "doctor",
        "Checks configuration, database, clock, schema, users table, queue, webhook secret, Clerk, "
        "polling, the mirror, the gate and this machine; a line of advice each. 1 when something "
        "is wrong, "
        "78 when the settings are");
    const auto arguments = std::make_shared<DoctorArguments>();
    SelfTestTarget& target = arguments->target;
    auto* url =
        command
            ->add_option("--self-test", target.url,
                         "Tries out the deployment at this public address instead: a "
                         "signed event that changes nobody, its certificate, job, health, "
                         "metrics, schema. 1 when something is wrong, 69 when nobody answers, 75 "
                         "when the job did not run in time")
            ->type_name("URL")
            ->check(check_url);
    command
        ->add_option("--admin-url", target.admin_url,
                     "Its admin listener, for the metrics; and for the job, where DATABASE_URL is "
                     "not set, with ROLLCALL_ADMIN_TOKEN")
        ->type_name("URL")
        ->check(check_url)
        ->needs(url);
    command->add_option("--wait", arguments->wait, "How long the job may take (60s)")
        ->type_name("TIME")
        ->needs(url);
    command->callback([arguments, &globals, &exit_code] {
        SelfTestTarget& chosen = arguments->target;
        if (chosen.url.empty()) {
            exit_code = examine(globals);
        } else if (const auto wait = parse_duration(arguments->wait)) {
            chosen.wait = *wait;
            exit_code = try_out(globals, chosen);
        } else {
            exit_code =
                report({ErrorCode::invalid_input, "--wait must be a time with its unit, as 30s"});
        }
    });
}

}  // namespace rollcall::cli
