// rollcall dev: everything on this machine. A private PostgreSQL, the simulated Clerk with a few
// users, the simulated Supabase Auth, and the service, in one process; Ctrl-C leaves nothing
// running.
#include "base/log.hpp"
#include "cli/commands.hpp"
#include "cli/config.hpp"
#include "cli/dev_session.hpp"
#include "cli/private_postgres.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <unistd.h>
#include <memory>

namespace rollcall::cli {
namespace {

struct DevArguments {
    std::string state_dir = ".rollcall";
    std::string listen;
    std::string admin_listen;
    std::string sim_listen = "127.0.0.1:0";
    std::size_t users = 5;
    bool once = false;
};

// What the parts of a development session must know of each other; fixed, because nothing of it
// leaves this machine.
constexpr std::string_view dev_secret_key = "sk_test_rollcall_dev";
constexpr std::string_view dev_webhook_secret = "whsec_cm9sbGNhbGwtZGV2ZWxvcG1lbnQtc2VjcmV0";
constexpr std::string_view dev_token = "dev";

std::map<std::string, std::string> dev_flags(const DevArguments& arguments,
                                             const PrivatePostgres& postgres) {
    std::map<std::string, std::string> flags{
        {"database.url", postgres.url()},
        {"clerk.secret_key", std::string(dev_secret_key)},
        {"clerk.webhook_secret", std::string(dev_webhook_secret)},
        {"admin.token", std::string(dev_token)},
        {"cron.secret", std::string(dev_token)},
        // The terminal is for the account; the log speaks up when something is wrong.
        {"log.level", "warn"},
    };
    if (!arguments.listen.empty()) flags["serve.listen"] = arguments.listen;
    if (!arguments.admin_listen.empty()) flags["admin.listen"] = arguments.admin_listen;
    return flags;
}

int dev(const Globals& globals, const DevArguments& arguments) {
    const Account account(isatty(STDOUT_FILENO) == 1);
    account.heading("rollcall dev");
    PrivatePostgres postgres(arguments.state_dir);
    if (auto started = postgres.start(); !started) return report(started.error());
    account.line("PostgreSQL", fmt::format("psql '{}'", postgres.url()));

    auto settings = load_settings(globals, dev_flags(arguments, postgres));
    if (!settings) return report(settings.error());
    auto config = make_config(*settings, {.database = true, .serve = true});
    if (!config) return report(config.error());
    log::configure(config->log_level, config->log_format);

    sim::ClerkSimulatorConfig sim;
    sim.listen = arguments.sim_listen;
    sim.secret_key = dev_secret_key;
    sim.webhook_secrets = {std::string(dev_webhook_secret)};
    sim.users = arguments.users;
    sim.state_file = arguments.state_dir + "/clerk.json";
    return run_dev_session(std::move(*settings), std::move(*config), std::move(sim), account,
                           arguments.once, [&] { postgres.stop(); });
}

}  // namespace

void add_dev_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* command = app.add_subcommand(
        "dev",
        "Everything on this machine: a private PostgreSQL, a simulated Clerk with a few users, a "
        "simulated Supabase Auth, and the service. Says where to look, and each event, row and "
        "pass; Ctrl-C leaves nothing "
        "running; a second start goes on with the same data");
    const auto arguments = std::make_shared<DevArguments>();
    command->add_option("--state", arguments->state_dir, "Folder of the data")
        ->capture_default_str();
    command->add_option("--listen", arguments->listen,
                        "Public listener (127.0.0.1:8080, or any "
                        "free port when that is taken)");
    command->add_option("--admin-listen", arguments->admin_listen,
                        "Admin listener (127.0.0.1:9090, likewise)");
    command->add_option("--sim-listen", arguments->sim_listen, "Listener of the simulated Clerk")
        ->capture_default_str();
    command->add_option("--users", arguments->users, "Users the simulated Clerk starts with")
        ->capture_default_str();
    command->add_flag("--once", arguments->once,
                      "End when the first synced user is visible: for scripts");
    command->callback([arguments, &globals, &exit_code] { exit_code = dev(globals, *arguments); });
}

}  // namespace rollcall::cli
