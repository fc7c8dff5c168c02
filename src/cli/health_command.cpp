// rollcall health: what a container's health check asks of the process beside it.
#include "base/metrics.hpp"
#include "cli/commands.hpp"
#include "cli/config.hpp"
#include "cli/input.hpp"
#include "cli/one_shot.hpp"
#include "http/client.hpp"
#include "http/upstream.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <memory>
#include <string>

namespace rollcall::cli {
namespace {

constexpr std::chrono::milliseconds request_limit{5'000};

// This machine's address of what listens on `listen`, which may be all addresses.
std::string local_url(std::string listen) {
    for (const std::string_view any : {"0.0.0.0:", "[::]:"}) {
        if (listen.starts_with(any)) {
            listen.replace(0, any.size(), any.starts_with('[') ? "[::1]:" : "127.0.0.1:");
        }
    }
    return "http://" + listen;
}

Task<int> ask(Executor executor, std::string url) {
    MetricsRegistry unseen;
    http::Client client(executor);
    http::Upstream service(client, {.name = "service", .operations = {"readyz"}}, unseen);
    http::ClientRequest request{.url = std::move(url), .timeout = request_limit};
    const auto attempt = co_await service.send("readyz", std::move(request));
    if (!attempt.response) {
        fmt::print(stderr, "rollcall: no answer: {}\n", attempt.failure);
        co_return exit_found;
    }
    fmt::print("{}", attempt.response->body);
    co_return attempt.response->status == 200 ? exit_ok : exit_found;
}

int look(const Globals& globals, std::string url) {
    const auto config = load_config(globals, {}, {});
    if (!config) return report(config.error());
    if (url.empty()) url = local_url(config->admin_listener.listen);
    while (url.ends_with('/')) url.pop_back();
    return run_once(*config, [&](pg::Pool&) -> Task<int> {
        co_return co_await ask(co_await asio::this_coro::executor, url + "/readyz?verbose");
    });
}

}  // namespace

void add_health_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* command = app.add_subcommand(
        "health", "Asks the service of this machine whether it is ready (/readyz); 1 when not");
    const auto url = std::make_shared<std::string>();
    command->add_option("--url", *url, "Its admin listener, where admin.listen is not it")
        ->type_name("URL")
        ->check(check_url);
    command->callback([url, &globals, &exit_code] { exit_code = look(globals, *url); });
}

}  // namespace rollcall::cli
