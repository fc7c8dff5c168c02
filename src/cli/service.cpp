#include "cli/service.hpp"

#include "admin/bearer.hpp"
#include "admin/cron.hpp"
#include "admin/deletion_routes.hpp"
#include "admin/health.hpp"
#include "admin/job_json.hpp"
#include "admin/job_routes.hpp"
#include "admin/json_route.hpp"
#include "admin/loop_lag.hpp"
#include "admin/status.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/timeout.hpp"
#include "base/together.hpp"
#include "base/wakeup.hpp"
#include "clerk/http_backend_api.hpp"
#include "cli/alerting.hpp"
#include "cli/auditing.hpp"
#include "cli/build_info.hpp"
#include "cli/door.hpp"
#include "cli/gating.hpp"
#include "cli/held_deletions.hpp"
#include "cli/migrations.hpp"
#include "cli/mirroring.hpp"
#include "cli/polling.hpp"
#include "cli/reloaded.hpp"
#include "cli/secret_files.hpp"
#include "cli/version.hpp"
#include "cli/working.hpp"
#include "directory/directory.hpp"
#include "http/server.hpp"
#include "jobs/metrics.hpp"
#include "jobs/queue.hpp"
#include "jobs/queue_admin.hpp"
#include "jobs/work_loop.hpp"
#include "pg/migrator.hpp"
#include "pg/pool.hpp"
#include "sync/key_check.hpp"

#include <fmt/format.h>

namespace rollcall::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds open_retry_interval{2'000};
// For how long the database's last answer counts, and how long it has for the next one. Together
// they bound how long /readyz is wrong.
constexpr milliseconds answer_age{500};
constexpr milliseconds answer_limit{1'000};
// For the disk to let go of the spool.
constexpr milliseconds spool_limit{2'000};
// For the last question about callers, whose statement ends by itself.
constexpr milliseconds gate_limit{1'200};
// For Clerk to say whose the secret key is: a start waits no longer for one that is away.
constexpr milliseconds key_limit{2'000};
// After the drain timeout: leases are given back, connections close.
constexpr milliseconds closing_time{3'000};

// Null without a secret key.
std::unique_ptr<clerk::ApiChannel> make_channel(Executor executor, const Config& config,
                                                MetricsRegistry& metrics) {
    if (config.clerk.secret_key.empty()) return nullptr;
    return std::make_unique<clerk::ApiChannel>(executor, config.clerk, metrics);
}

http::ServerConfig guarded(http::ServerConfig listener, http::AddressGuard& guard) {
    listener.guard = &guard;
    return listener;
}

// {"state","since","next_probe_ms","failures"}; since is null while it has never been open.
std::string to_json(const http::Circuit& circuit) {
    return fmt::format(R"({{"state":"{}","since":{},"next_probe_ms":{},"failures":{}}})",
                       http::to_string(circuit.state), json_time(circuit.since),
                       circuit.next_probe.count(), circuit.failures);
}

}  // namespace

struct Service::Parts {
    Parts(Executor executor, Settings given_settings, Config given, GateConfig given_gate,
          Observers given_observers);

    // Neighbours and what they share.
    Executor executor;
    Settings settings;
    Config config;
    GateConfig gate;
    Observers observers;
    MetricsRegistry metrics;
    Random random;
    std::string name = jobs::worker_name(random);
    pg::Pool pool;  // beside it the door and the work have their own
    std::unique_ptr<clerk::ApiChannel> clerk_channel;  // null without a secret key
    std::unique_ptr<clerk::HttpBackendApi> clerk;      // the same

    // The queue, who works on it, and where it is filled.
    jobs::Metrics job_metrics{metrics};
    jobs::QueueAdmin queue_admin{pool};
    std::unique_ptr<directory::Directory> directory;  // once the schema is there
    http::AddressGuard guard;                         // of the public listener
    Polling polling;
    Mirroring mirroring;
    Working working;
    Door door;
    Gating gating;
    jobs::WorkLoop opening;
    Auditing auditing;

    // What is seen from outside.
    std::unique_ptr<alerts::Watch> alerts;  // started once the schema is there
    admin::Health health;
    admin::Status status;
    admin::LoopLag loop_lag;
    http::Router public_router;
    http::Router admin_router;
    std::shared_ptr<http::ServerMetrics> server_metrics;
    http::Server public_server;
    http::Server admin_server;
    ReloadOutcome reload_outcome;
    Wakeup drained;
    std::optional<Settings> reloaded;  // those of the last reload
    bool all_ended = false;            // before that: nothing of this runs any more

    void add_routes();
    Task<bool> database_answers();
    void stored(std::span<const jobs::NewJob> batch, std::span<const jobs::Enqueued> stored);
    void changed(std::string_view kind, std::string_view clerk_id, directory::Outcome outcome);
    Task<int> open_or_look_again();
    Task<int> open_directory();
    void refuse(std::string_view event, const Error& error);
    Task<std::string> queue_status();
    [[nodiscard]] std::string circuits() const;
    Task<int> work_off();
    Task<> stop_polling(Duration limit, bool& ended);
    Task<> stop_working(Duration limit, bool& ended);
    Task<> stop_mirroring(Duration limit, bool& ended);
    Task<> drain();
};

Service::Parts::Parts(Executor given_executor, Settings given_settings, Config given,
                      GateConfig given_gate, Observers given_observers)
    : executor(given_executor),
      settings(std::move(given_settings)),
      config(std::move(given)),
      gate(std::move(given_gate)),
      observers(std::move(given_observers)),
      pool(executor, "general",
           config.connections_max - config.work.lanes - static_cast<int>(config.webhooks.lanes),
           config.database, metrics),
      clerk_channel(make_channel(executor, config, metrics)),
      clerk(clerk_channel == nullptr ? nullptr
                                     : std::make_unique<clerk::HttpBackendApi>(*clerk_channel)),
      guard(config.guard, real_clock(), metrics),
      polling(executor, config, name, clerk_channel.get(), metrics, job_metrics),
      mirroring(executor, config, name, clerk_channel.get(), metrics, job_metrics),
      working(executor,
              {.config = config,
               .pool = pool,
               .channel = clerk_channel.get(),
               .clerk = clerk.get(),
               .instance = name,
               .metrics = metrics,
               .job_metrics = job_metrics},
              {.changed = [this](auto kind, auto id, auto outcome) { changed(kind, id, outcome); },
               .held = [this] { polling.deletion_held(); }}),
      door(executor,
           {.config = config,
            .guard = guard,
            .pool = pool,
            .random = random,
            .instance = name,
            .metrics = metrics,
            .job_metrics = job_metrics},
           [this](auto batch, auto enqueued) { stored(batch, enqueued); }),
      gating(executor,
             {.config = config, .gate = gate, .random = random, .metrics = metrics, .pool = pool},
             polling.fetch_for_gate()),
      opening(executor,
              {.name = "open_directory", .poll_interval = [] { return open_retry_interval; }},
              [this] { return open_or_look_again(); }),
      auditing(executor, pool, config.audit_kept, metrics),
      loop_lag(executor, metrics),
      server_metrics(http::make_server_metrics(metrics)),
      public_server(executor, guarded(config.public_listener, guard), public_router,
                    server_metrics),
      admin_server(executor, config.admin_listener, admin_router, server_metrics),
      reload_outcome(metrics),
      drained(executor) {
    alerts = make_alerts(executor, pool, config, name, clerk_channel.get(), mirroring.channel(),
                         job_metrics, metrics);
    publish_build_info(metrics);
    add_routes();
}

void Service::Parts::add_routes() {
    health.add("database", [this] { return database_answers(); });
    health.add("schema", [this]() -> Task<bool> { co_return directory != nullptr; });
    door.add_routes(public_router);
    gating.add_routes(public_router);
    polling.add_routes(public_router, guard, admin_router);
    admin::add_process_jobs_route(public_router, config.cron_secret, &guard,
                                  [this] { return work_off(); });
    health.add_routes(public_router);
    health.add_routes(admin_router);
    admin::add_metrics_route(admin_router, metrics);
    status.add("version", []() -> Task<std::string> { co_return json_string(version()); });
    status.add("commit", []() -> Task<std::string> { co_return json_string(commit()); });
    status.add("mode", [this]() -> Task<std::string> {
        co_return json_string(settings.text("serve.mode"));
    });
    status.add("roles", [this]() -> Task<std::string> {
        co_return json_string(settings.get("serve.roles").text);
    });
    status.add("instance", [this]() -> Task<std::string> { co_return json_string(name); });
    status.add("ready", [this]() -> Task<std::string> {
        co_return directory != nullptr&& co_await database_answers() ? "true" : "false";
    });
    status.add("listening",
               [this]() -> Task<std::string> { co_return working.listening() ? "true" : "false"; });
    status.add("queue", [this] { return queue_status(); });
    status.add("users_table_takes_changes",
               [this]() -> Task<std::string> { co_return working.table_takes_changes(); });
    status.add("sync", [this]() -> Task<std::string> {
        if (!co_await database_answers()) co_return "null";
        co_return co_await polling.status();
    });
    status.add("spool", [this]() -> Task<std::string> { co_return door.spool().status(); });
    status.add("configuration",
               [this]() -> Task<std::string> { co_return reload_outcome.status(); });
    status.add("gate", [this]() -> Task<std::string> { co_return gating.status(); });
    status.add("circuits", [this]() -> Task<std::string> { co_return circuits(); });
    status.add("mirror", [this]() -> Task<std::string> {
        if (!co_await database_answers()) co_return "null";
        co_return co_await mirroring.status();
    });
    status.add_routes(admin_router, config.admin_token);
    admin::add_job_routes(admin_router, config.admin_token, pool, queue_admin,
                          [this] { return directory != nullptr; });
    admin::add_deletion_routes(
        admin_router, config.admin_token,
        deletion_actions(
            pool, [this] { return directory != nullptr; },
            [this](auto order, auto answer) { return polling.decide(std::move(order), answer); }));
    admin::add_json_route(
        admin_router, config.admin_token, "/api/v1/alerts", [this]() -> Task<std::string> {
            const bool there = directory != nullptr && co_await database_answers();
            co_return co_await alerts->list(door.spool().alarm(), there);
        });
}

Task<bool> Service::Parts::database_answers() {
    co_return (co_await with_timeout(pool.healthy(answer_age), answer_limit)).value_or(false);
}

void Service::Parts::stored(std::span<const jobs::NewJob> batch,
                            std::span<const jobs::Enqueued> enqueued) {
    working.users_added();
    if (!observers.stored) return;
    for (std::size_t i = 0; i < batch.size(); ++i) observers.stored(batch[i], enqueued[i]);
}

void Service::Parts::changed(std::string_view kind, std::string_view clerk_id,
                             directory::Outcome outcome) {
    mirroring.wake();
    if (observers.changed) observers.changed(kind, clerk_id, outcome);
}

// Everything that is due, the mirror's jobs last: they come of the others.
Task<int> Service::Parts::work_off() {
    const auto end = std::chrono::steady_clock::now() + config.cron_time_limit;
    const int worked = co_await working.work_off();
    const auto left = end - std::chrono::steady_clock::now();
    co_return worked + co_await mirroring.work_off(std::chrono::duration_cast<milliseconds>(left));
}

// A pass of the loop `opening`: does nothing once the directory is open. The first is what the
// start waits for, with a database that is away too.
Task<int> Service::Parts::open_or_look_again() {
    if (directory != nullptr) co_return 0;
    struct Looked {
        ~Looked() { health.started(); }
        admin::Health& health;
    } const looked{health};
    co_return co_await open_directory();
}

Task<int> Service::Parts::open_directory() {
    pg::Migrator migrator(pool, migrations());
    const auto current = co_await migrator.up_to_date();
    if (!current || !*current) {
        log::warn("schema_not_ready",
                  {{"message", current ? "run: rollcall migrate" : current.error().message}});
        co_return 0;
    }
    if (clerk != nullptr) {
        const auto right = co_await sync::may_start(pool, *clerk, key_limit);
        if (!right) {
            refuse("clerk_key_refused", right.error());
            co_return 0;
        }
    }
    auto opened = co_await directory::Directory::open(
        pool, {.columns = config.users,
               .batch = config.work.batch,
               .can_ask = clerk != nullptr,
               .mirror = config.mirrors(),
               .deletions_alone = config.work.hold_deletion_burst});
    if (!opened) {
        refuse("users_table_not_usable", opened.error());
        co_return 0;
    }
    co_await gating.prepare();
    // Who is told to end while this was under way has stopped what would begin here.
    if (health.draining()) co_return 0;
    directory = std::move(*opened);
    log::info("directory_open", {{"table", config.users.table}});
    door.open();
    working.open(*directory);
    mirroring.open(*directory);
    gating.open(*directory);
    alerts->start();
    auditing.open();
    polling.open(
        pool, *directory, [this](auto kind, auto id, auto outcome) { changed(kind, id, outcome); },
        observers.passed);
    co_return 0;
}

// Ends the service where no waiting mends it.
void Service::Parts::refuse(std::string_view event, const Error& error) {
    log::error(event, {{"message", error.message}});
    if (error.code == ErrorCode::bad_configuration && observers.refused) {
        std::exchange(observers.refused, nullptr)(error);
    }
}

Task<std::string> Service::Parts::queue_status() {
    if (directory == nullptr || !co_await database_answers()) co_return "null";
    co_return admin::to_json(co_await queue_admin.depth());
}

// Of each upstream that is asked: {"clerk":{"state":"open","since":…,…},…}.
std::string Service::Parts::circuits() const {
    std::string all;
    const auto add = [&all](std::string_view upstream, const auto* channel) {
        if (channel == nullptr) return;
        all += (all.empty() ? "" : ",") + json_string(upstream) + ":" +
               to_json(channel->look(real_clock().steady()));
    };
    add("clerk", clerk_channel.get());
    add("supabase_auth", mirroring.channel());
    return "{" + all + "}";
}

Task<> Service::Parts::stop_polling(Duration limit, bool& ended) {
    ended = co_await polling.stop(limit);
    if (!ended) log::warn("pass_cut_short");
}

Task<> Service::Parts::stop_working(Duration limit, bool& ended) {
    ended = co_await working.stop(limit);
}

Task<> Service::Parts::stop_mirroring(Duration limit, bool& ended) {
    ended = co_await mirroring.stop(limit);
}

Task<> Service::Parts::drain() {
    health.start_draining();
    co_await sleep(config.shutdown_delay);
    const auto deadline = std::chrono::steady_clock::now() + config.drain_timeout;
    const auto left = [deadline] {
        return std::max<Duration>(deadline - std::chrono::steady_clock::now(), Duration::zero());
    };
    // A request may wait for a pass, which is interrupted.
    bool polled = false;
    std::vector<Task<>> doors;
    doors.push_back(public_server.drain(std::chrono::duration_cast<milliseconds>(left())));
    doors.push_back(gating.drain(left()));
    doors.push_back(stop_polling(left(), polled));
    co_await together(std::move(doors));
    co_await opening.stop();
    co_await auditing.stop();
    const bool gated = co_await gating.stop(std::min<Duration>(left(), gate_limit));
    const bool spooled = co_await door.stop_intake(spool_limit);
    bool worked = false;
    bool mirrored = false;
    std::vector<Task<>> stops;
    stops.push_back(stop_working(left(), worked));
    stops.push_back(stop_mirroring(left(), mirrored));
    co_await together(std::move(stops));
    co_await working.stop_chores();
    co_await alerts->stop();
    co_await door.stop_recording();
    working.stop_listening();
    loop_lag.stop();
    if (directory != nullptr && co_await database_answers()) co_await door.flush();
    co_await admin_server.drain(milliseconds(1'000));
    co_await door.disconnect();
    co_await working.disconnect();
    co_await mirroring.disconnect();
    co_await gating.disconnect();
    co_await pool.stop();
    all_ended = polled && worked && mirrored && gated && spooled;
    drained.wake();
}

Service::Service(Executor executor, Settings settings, Config config, GateConfig gate,
                 Observers observers)
    : parts_(std::make_unique<Parts>(executor, std::move(settings), std::move(config),
                                     std::move(gate), std::move(observers))) {}

Service::~Service() = default;

Result<void> Service::start() {
    if (auto opened = parts_->door.open_spool(); !opened) return opened;
    if (auto started = parts_->public_server.start(); !started) return started;
    if (auto started = parts_->admin_server.start(); !started) return started;
    parts_->working.start();
    parts_->opening.start();
    parts_->loop_lag.start();
    parts_->door.start();
    if (auto started = parts_->gating.start(); !started) return started;
    tell_open_files(parts_->settings);
    log::info("service_started", {{"version", version()},
                                  {"mode", parts_->settings.text("serve.mode")},
                                  {"roles", parts_->settings.get("serve.roles").text},
                                  {"public_port", static_cast<int>(public_port())},
                                  {"admin_port", static_cast<int>(admin_port())}});
    return {};
}

Task<bool> Service::drain() {
    log::info("service_draining");
    spawn(parts_->executor, "drain_service", parts_->drain());
    const Duration limit =
        parts_->config.shutdown_delay + parts_->config.drain_timeout + closing_time;
    if (!co_await parts_->drained.wait(limit)) log::error("service_drain_cut_short");
    log::info("service_stopped");
    co_return parts_->all_ended;
}

void Service::reload(Settings settings, const Config& config, const GateConfig& gate) {
    parts_->door.reload(config);
    parts_->gating.reload(gate);
    log::configure(config.log_level, config.log_format);
    Reloaded reloaded = compare(parts_->reloaded ? *parts_->reloaded : parts_->settings, settings);
    for (const SettingKey& key : setting_keys()) {
        const bool as_at_start = settings.get(key.name).text == parts_->settings.get(key.name).text;
        if (taken_by_reload(key) || as_at_start) continue;
        log::warn("config_restart_needed", {{"key", key.name}});
    }
    tell_open_files(settings);
    parts_->reloaded = std::move(settings);
    parts_->reload_outcome.taken();
    log::info("config_reloaded");
    if (parts_->directory != nullptr) {
        spawn(parts_->executor, "audit_reload", audit_reload(parts_->pool, std::move(reloaded)));
    }
}

void Service::reload_failed(const Error& error) {
    parts_->reload_outcome.refused(error);
}

unsigned short Service::public_port() const {
    return parts_->public_server.port();
}
unsigned short Service::admin_port() const {
    return parts_->admin_server.port();
}

}  // namespace rollcall::cli
