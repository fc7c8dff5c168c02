// rollcall sim: the simulated Clerk and Supabase Auth alone.
#include "base/log.hpp"
#include "cli/commands.hpp"
#include "cli/input.hpp"
#include "cli/signals.hpp"
#include "sim/clerk_simulator.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rollcall::cli {
namespace {

struct SupabaseArguments {
    std::string listen = "127.0.0.1:0";
    std::vector<std::string> keys;
    bool bare = false;

    [[nodiscard]] std::optional<sim::AuthSimulatorConfig> config() const {
        if (listen == "off") return std::nullopt;
        sim::AuthSimulatorConfig config{.listen = listen, .bare = bare};
        if (!keys.empty()) config.keys = keys;
        return config;
    }
};

// Nothing when no file is named.
Result<Secret> read_signing_key(const std::string& file) {
    if (file.empty()) return Secret();
    auto text = read_input(file);
    if (!text) return fail(ErrorCode::bad_configuration, text.error().message);
    return Secret(*std::move(text));
}

int simulate(const sim::ClerkSimulatorConfig& config) {
    log::configure(log::Level::warn, log::Format::automatic);
    asio::io_context loop(1);
    MetricsRegistry metrics;
    sim::ClerkSimulator clerk(loop.get_executor(), config, http::make_server_metrics(metrics));
    if (auto started = clerk.start(); !started) return report(started.error());
    // Programs read the first line.
    fmt::print("sim listening on {}\n", clerk.url());
    fmt::print("CLERK_API_URL={}\nCLERK_SECRET_KEY={}\nCLERK_WEBHOOK_SECRET={}\n", clerk.url(),
               config.secret_key, clerk.webhook_secret());
    fmt::print("CLERK_PUBLISHABLE_KEY={}\n", sim::ClerkInstance::publishable_key());
    if (const auto* supabase = clerk.supabase()) {
        fmt::print("SUPABASE_URL={}\nSUPABASE_SERVICE_ROLE_KEY={}\n", supabase->url(),
                   supabase->key());
    }
    std::fflush(stdout);
    Signals signals(loop.get_executor());
    signals.on_stop([&] {
        spawn(loop.get_executor(), "drain_simulator",
              [](sim::ClerkSimulator& draining, asio::io_context& ending) -> Task<> {
                  co_await draining.drain(std::chrono::seconds(1));
                  ending.stop();
              }(clerk, loop));
    });
    signals.on_second_stop([&] { loop.stop(); });
    loop.run();
    return exit_ok;
}

}  // namespace

void add_sim_command(CLI::App& app, const Globals&, int& exit_code) {
    auto* command = app.add_subcommand(
        "sim",
        "A simulated Clerk on this machine: its Backend API, signed webhooks on Svix's schedule, "
        "and fault switches; beside it a simulated Supabase Auth. Test keys and loopback addresses "
        "only; docs/simulator.md");
    const auto config = std::make_shared<sim::ClerkSimulatorConfig>();
    const auto supabase = std::make_shared<SupabaseArguments>();
    const auto signing_key_file = std::make_shared<std::string>();
    command->add_option("--listen", config->listen, "Loopback address:port; port 0: any")
        ->capture_default_str();
    command->add_option("--webhook-url", config->webhook_url, "Where events go; loopback only");
    command->add_option("--webhook-secret", config->webhook_secrets,
                        "whsec_…; repeat it for those still valid after a rotation");
    command->add_option("--secret-key", config->secret_key, "The key that callers must show")
        ->capture_default_str();
    command->add_option("--signing-key", *signing_key_file,
                        "File with a PRIVATE KEY of RSA that signs session tokens first");
    command->add_option("--users", config->users, "Users at the start")->capture_default_str();
    command->add_flag("!--quiet-users", config->announce_users,
                      "No user.created events for the users of the start");
    command->add_option("--seed", config->seed, "Makes ids and chances repeat");
    command->add_option("--speed", config->speed, "Divides the delays of the retry schedule")
        ->capture_default_str();
    command->add_option("--fault", config->faults, "name=value; may be repeated");
    command->add_option("--rate-limit", config->rate_limit.per_instance,
                        "Requests per ten seconds before 429; off by default");
    command->add_option("--state", config->state_file, "File that keeps the users between runs");
    command
        ->add_option("--supabase-listen", supabase->listen,
                     "Listener of the simulated Supabase Auth, or off")
        ->capture_default_str();
    command->add_option("--supabase-key", supabase->keys,
                        "A key that its callers may show: a made-up JWT or sb_secret_rollcall_…; "
                        "may be repeated");
    command->add_flag("--supabase-bare", supabase->bare,
                      "As a server without the hosted gateway: no /auth/v1, and JWTs alone");
    command->callback([config, supabase, signing_key_file, &exit_code] {
        auto key = read_signing_key(*signing_key_file);
        if (!key) {
            exit_code = report(key.error());
            return;
        }
        config->signing_key = *std::move(key);
        config->supabase = supabase->config();
        exit_code = simulate(*config);
    });
}

}  // namespace rollcall::cli
