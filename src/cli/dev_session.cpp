#include "cli/dev_session.hpp"

#include "cli/commands.hpp"
#include "cli/migrate.hpp"
#include "cli/one_shot.hpp"
#include "cli/run_text.hpp"
#include "cli/service.hpp"
#include "cli/signals.hpp"
#include "directory/row_view.hpp"

#include <fmt/format.h>
#include <boost/asio/ip/tcp.hpp>
#include <charconv>
#include <cstdlib>

namespace rollcall::cli {
namespace {

// Rows that are looked up for the account at the same time; of a flood only the ids are told.
constexpr int lookups_max = 32;
// Between passes, unless somebody has set it: short, so that they are seen.
constexpr std::chrono::seconds pass_interval{30};

// Tells what happens, and notices the first row.
class Watch {
public:
    Watch(asio::io_context& loop, const Config& config, const Account& account)
        : loop_(loop),
          account_(account),
          pool_(loop.get_executor(), "dev", 2, config.database, metrics_),
          rows_(config.users) {}

    [[nodiscard]] Observers observers() {
        return {.stored = [this](const jobs::NewJob& job,
                                 const jobs::Enqueued& stored) { tell_event(job, stored); },
                .changed = [this](std::string_view, std::string_view clerk_id,
                                  directory::Outcome outcome) { tell_row(clerk_id, outcome); },
                .passed = [this](const sync::RunSummary& summary,
                                 sync::RunTrigger /*trigger*/) { tell_pass(summary); }};
    }

    void on_first_row(std::function<void()> handler) { on_first_row_ = std::move(handler); }

    // A second start has rows already: one of `clerk_ids` that is there is shown.
    Task<> greet(std::vector<std::string> clerk_ids) {
        for (const std::string& clerk_id : clerk_ids) {
            if (co_await rows_.find(pool_, clerk_id)) {
                co_await show(clerk_id, "kept");
                co_return;
            }
        }
    }

    Task<> stop() { co_await pool_.stop(); }

private:
    void tell_event(const jobs::NewJob& job, const jobs::Enqueued& stored) const {
        account_.event(
            job.kind, job.subject.value_or("-"),
            stored.duplicate ? "seen before, same job " + stored.id : "stored as job " + stored.id);
    }

    void tell_row(std::string_view clerk_id, directory::Outcome outcome) {
        if (lookups_ >= lookups_max) return account_.row(clerk_id, to_string(outcome));
        spawn(loop_.get_executor(), "show_row",
              show(std::string(clerk_id), std::string(to_string(outcome))));
    }

    // Not each time the same.
    void tell_pass(const sync::RunSummary& summary) {
        const std::string text = brief_text(summary);
        const std::string pass = std::string(to_string(summary.mode)) + text;
        if (pass != std::exchange(last_pass_, pass)) account_.pass(to_string(summary.mode), text);
    }

    Task<> show(std::string clerk_id, std::string what) {
        ++lookups_;
        const auto row = co_await rows_.find(pool_, clerk_id);
        --lookups_;
        if (!row) {
            account_.row(clerk_id, what + ", no row");
            co_return;
        }
        account_.row(clerk_id, fmt::format("{}: {} | {} | {}{}", what,
                                           row->email.empty() ? "no e-mail" : row->email,
                                           row->name.empty() ? "no name" : row->name, row->role,
                                           row->deleted ? " | deleted" : ""));
        if (row->deleted || std::exchange(seen_first_, true)) co_return;
        account_.heading(
            fmt::format("first synced user visible: {} is public.users id {}", clerk_id, row->id));
        if (on_first_row_) on_first_row_();
    }

    asio::io_context& loop_;
    const Account& account_;
    MetricsRegistry metrics_;
    pg::Pool pool_;
    directory::RowView rows_;
    std::function<void()> on_first_row_;
    int lookups_ = 0;
    bool seen_first_ = false;
    std::string last_pass_;
};

// A default port that somebody else has gives way to any free one; a port that was asked for does
// not.
void free_if_taken(const Settings& settings, std::string_view key, http::ServerConfig& listener) {
    if (settings.get(key).source != "default") return;
    boost::system::error_code error;
    asio::io_context probe(1);
    asio::ip::tcp::acceptor acceptor(probe);
    const auto at = asio::ip::make_address("127.0.0.1");
    const std::string_view port_text =
        std::string_view(listener.listen).substr(listener.listen.rfind(':') + 1);
    unsigned short port = 0;
    std::from_chars(port_text.begin(), port_text.end(), port);
    acceptor.open(asio::ip::tcp::v4(), error);
    acceptor.set_option(asio::socket_base::reuse_address(true), error);
    acceptor.bind({at, port}, error);
    if (error) listener.listen = "127.0.0.1:0";
}

int migrate_database(const Config& config) {
    return run_once(config, [&](pg::Pool& pool) -> Task<int> {
        const auto outcome = co_await run_migrations(pool, config.users, {}, /*dry_run=*/false);
        co_return outcome ? exit_ok : report(outcome.error());
    });
}

void tell_where_to_look(const Account& account, const Service& service,
                        const sim::ClerkSimulator& clerk, const std::string& secret_key) {
    const std::string service_url = fmt::format("http://127.0.0.1:{}", service.public_port());
    const std::string admin_url = fmt::format("http://127.0.0.1:{}", service.admin_port());
    account.line("service", service_url + "/webhooks/clerk");
    account.line("Clerk", clerk.url() + "  (simulated; docs/simulator.md)");
    if (const auto* supabase = clerk.supabase()) {
        account.line("Supabase", supabase->url() + "  (simulated Auth)");
        account.line("Auth users", fmt::format("curl {}/sim/auth/users", clerk.url()));
    }
    account.line("polling", "finds what webhooks missed: docs/sync.md");
    account.line("token", fmt::format("curl -sX POST '{}/sim/tokens?format=text'", clerk.url()));
    account.line("gate", fmt::format("curl -i {}/gate/decide -H 'X-Forwarded-Uri: /' "
                                     "-H 'X-Forwarded-Method: GET' -H \"Authorization: Bearer "
                                     "$(curl -sX POST '{}/sim/tokens?format=text')\"",
                                     service_url, clerk.url()));
    account.line("metrics", admin_url + "/metrics");
    account.line("status",
                 fmt::format("curl -H 'Authorization: Bearer dev' {}/statusz", admin_url));
    account.line("alerts", fmt::format("curl {}/sim/alerts", clerk.url()));
    account.line("try", fmt::format("curl -X POST {}/v1/users -H 'Authorization: Bearer {}' "
                                    "-H 'Content-Type: application/json' "
                                    "-d '{{\"email_address\":[\"ada@example.com\"],"
                                    "\"first_name\":\"Ada\",\"last_name\":\"Lovelace\"}}'",
                                    clerk.url(), secret_key));
    account.line("stop", "Ctrl-C");
    account.heading("what happens");
}

// A port that is free now, so that the service knows where Clerk will be before Clerk starts.
std::string with_free_port(const std::string& listen) {
    if (!listen.ends_with(":0")) return listen;
    asio::io_context probe(1);
    const asio::ip::tcp::acceptor acceptor(probe, {asio::ip::make_address("127.0.0.1"), 0});
    return fmt::format("127.0.0.1:{}", acceptor.local_endpoint().port());
}

std::vector<std::string> ids_of(const sim::ClerkSimulator& clerk) {
    std::vector<std::string> ids;
    clerk.instance().users.for_each([&](const sim::ClerkUser& user) {
        if (ids.size() < lookups_max) ids.push_back(user.id);
    });
    return ids;
}

// What is still under way refers to parts of the session: it is not taken apart around it.
[[noreturn]] void leave_at_once(const Account& account, const std::function<void()>& leave) {
    account.heading("stopped before all work had ended; a next start goes on with it");
    leave();
    std::quick_exit(exit_ok);
}

}  // namespace

int run_dev_session(Settings settings, Config config, sim::ClerkSimulatorConfig sim,
                    const Account& account, bool once, const std::function<void()>& leave) {
    free_if_taken(settings, "serve.listen", config.public_listener);
    free_if_taken(settings, "admin.listen", config.admin_listener);
    if (const int code = migrate_database(config); code != exit_ok) return code;

    asio::io_context loop(1);
    const auto executor = loop.get_executor();
    const std::string secret_key = sim.secret_key;
    sim.listen = with_free_port(sim.listen);
    config.clerk.url = "http://" + sim.listen;
    sim.supabase.emplace().listen = with_free_port("127.0.0.1:0");
    // Whatever the environment names: nobody who is made up here goes to a real project.
    config.supabase.url = "http://" + sim.supabase->listen;
    config.supabase.key = Secret(sim.supabase->keys.front());
    // The simulated Auth begins empty, the database goes on.
    config.comparing.at_start = true;
    if (settings.get("sync.interval").source == "default") {
        config.sync.schedule.interval = pass_interval;
    }
    if (config.alerts.sink.url.empty()) {
        config.alerts.sink.url = Secret(config.clerk.url + "/sim/alerts");
    }

    auto gate = read_gate_config(settings);
    if (!gate) return report(gate.error());
    // Tokens are the simulated Clerk's, whatever the environment names.
    gate->keys = {.jwt_key = "",
                  .jwks_url = "",
                  .api_url = config.clerk.url,
                  .secret_key = Secret(secret_key),
                  .publishable_key = sim::ClerkInstance::publishable_key(),
                  .issuer = ""};
    gate->token.issuers = {std::string(sim::ClerkInstance::issuer)};
    if (settings.get("gate.trusted_proxies").source == "default") {
        // Whoever asks from this machine, since nobody else can.
        config.public_listener.trusted_proxies =
            *http::TrustedProxies::parse(std::vector<std::string>{"127.0.0.1"});
    }
    Watch watch(loop, config, account);
    Service service(executor, std::move(settings), std::move(config), std::move(*gate),
                    watch.observers());
    if (auto started = service.start(); !started) return report(started.error());
    sim.webhook_url = fmt::format("http://127.0.0.1:{}/webhooks/clerk", service.public_port());
    MetricsRegistry sim_metrics;
    sim::ClerkSimulator clerk(executor, std::move(sim), http::make_server_metrics(sim_metrics));
    if (auto started = clerk.start(); !started) return report(started.error());

    bool all_ended = false;
    const auto stop = [&] {
        spawn(executor, "stop_session",
              [](Watch& seen, Service& served, sim::ClerkSimulator& simulated,
                 asio::io_context& ending, bool& ended) -> Task<> {
                  co_await simulated.drain(std::chrono::seconds(1));
                  ended = co_await served.drain();
                  if (ended) co_await seen.stop();
                  ending.stop();
              }(watch, service, clerk, loop, all_ended));
    };
    Signals signals(executor);
    signals.on_stop([&] {
        account.heading("stopping");
        stop();
    });
    signals.on_second_stop([&] { loop.stop(); });
    if (once) watch.on_first_row(stop);
    tell_where_to_look(account, service, clerk, secret_key);
    spawn(executor, "greet", watch.greet(ids_of(clerk)));
    loop.run();
    if (!all_ended) leave_at_once(account, leave);
    return exit_ok;
}

}  // namespace rollcall::cli
