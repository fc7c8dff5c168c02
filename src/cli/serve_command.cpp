// rollcall serve: runs the service until SIGTERM or SIGINT, which drain it; a second one ends it at
// once. SIGHUP reads the configuration again and keeps the old one when the new one is refused.
#include "base/log.hpp"
#include "cli/commands.hpp"
#include "cli/config.hpp"
#include "cli/service.hpp"
#include "cli/signals.hpp"
#include "cli/systemd_notify.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <functional>
#include <memory>
#include <utility>

namespace rollcall::cli {
namespace {

using Flags = std::map<std::string, std::string>;

constexpr Needs serve_needs{.database = true, .serve = true};

void reload(Service& service, const Globals& globals, const Flags& flags) {
    auto settings = load_settings(globals, flags);
    if (!settings) return service.reload_failed(settings.error());
    auto config = make_config(*settings, serve_needs);
    if (!config) return service.reload_failed(config.error());
    const auto gate = read_gate_config(*settings);
    if (!gate) return service.reload_failed(gate.error());
    service.reload(std::move(*settings), *config, *gate);
}

void tell_of_strange(const std::vector<StrangeVariable>& variables) {
    for (const StrangeVariable& variable : variables) {
        log::warn("environment_not_understood",
                  {{"name", variable.name},
                   {"likely", variable.likely},
                   {"message", "no setting has this name: it changes nothing"}});
    }
}

int serve(const Globals& globals, const Flags& flags) {
    auto settings = load_settings(globals, flags);
    if (!settings) return report(settings.error());
    auto config = make_config(*settings, serve_needs);
    if (!config) return report(config.error());
    auto gate = read_gate_config(*settings);
    if (!gate) return report(gate.error());
    log::configure(config->log_level, config->log_format);
    tell_of_strange(settings->strange_variables());

    asio::io_context loop(1);
    int exit_code = exit_ok;
    bool all_ended = false;
    std::function<void()> stop;
    SystemdNotify systemd(loop.get_executor(), process_environment());
    Service service(loop.get_executor(), std::move(*settings), std::move(*config), std::move(*gate),
                    {.refused = [&](const Error& error) {
                        exit_code = report(error);
                        stop();
                    }});
    stop = [&, stopping = false]() mutable {
        if (std::exchange(stopping, true)) return;
        systemd.stopping();
        spawn(loop.get_executor(), "drain",
              [](Service& draining, asio::io_context& ending, bool& ended) -> Task<> {
                  ended = co_await draining.drain();
                  ending.stop();
              }(service, loop, all_ended));
    };
    if (auto started = service.start(); !started) return report(started.error());
    systemd.ready();

    Signals signals(loop.get_executor());
    signals.on_reload([&] {
        systemd.reloading();
        reload(service, globals, flags);
        systemd.ready();
    });
    signals.on_stop(stop);
    signals.on_second_stop([&] { loop.stop(); });
    loop.run();
    // What is still under way refers to parts of the service: it is not taken apart around it.
    if (!all_ended) std::quick_exit(exit_code);
    return exit_code;
}

}  // namespace

void add_serve_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* command = app.add_subcommand(
        "serve",
        "Runs the service. Needs DATABASE_URL, CLERK_WEBHOOK_SECRET but in mode polling, and "
        "CLERK_SECRET_KEY but in mode webhook; the schema comes from `rollcall migrate`. SIGTERM "
        "drains, SIGHUP "
        "reloads");
    const auto flags = std::make_shared<Flags>();
    command->add_option_function<std::string>(
        "--listen", [flags](const std::string& v) { (*flags)["serve.listen"] = v; },
        "Public listener, address:port");
    command->add_option_function<std::string>(
        "--admin-listen", [flags](const std::string& v) { (*flags)["admin.listen"] = v; },
        "Admin listener, address:port");
    command->add_option_function<std::string>(
        "--mode", [flags](const std::string& v) { (*flags)["serve.mode"] = v; },
        "hybrid, webhook or polling");
    command->add_option_function<std::string>(
        "--roles", [flags](const std::string& v) { (*flags)["serve.roles"] = v; },
        "ingest, worker, scheduler, gate; separated by spaces");
    command->callback([flags, &globals, &exit_code] { exit_code = serve(globals, *flags); });
}

}  // namespace rollcall::cli
