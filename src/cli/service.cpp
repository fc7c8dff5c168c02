#include "cli/service.hpp"

#include "admin/bearer.hpp"
#include "admin/cron.hpp"
#include "admin/health.hpp"
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
#include "cli/build_info.hpp"
#include "cli/job_text.hpp"
#include "cli/migrations.hpp"
#include "cli/polling.hpp"
#include "cli/version.hpp"
#include "directory/directory.hpp"
#include "http/server.hpp"
#include "jobs/chores.hpp"
#include "jobs/metrics.hpp"
#include "jobs/queue.hpp"
#include "jobs/queue_admin.hpp"
#include "jobs/work_loop.hpp"
#include "jobs/worker.hpp"
#include "pg/listener.hpp"
#include "pg/migrator.hpp"
#include "pg/notifier.hpp"
#include "pg/pool.hpp"
#include "sync/apply_user.hpp"
#include "sync/refresh.hpp"
#include "webhooks/delivery_log.hpp"
#include "webhooks/endpoint.hpp"
#include "webhooks/intake.hpp"

namespace rollcall::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view wake_channel = "rollcall_jobs";
constexpr milliseconds notify_interval{50};
constexpr milliseconds open_retry_interval{2'000};
// For how long the database's last answer counts, and how long it has for the next one. Together
// they bound how long /readyz is wrong.
constexpr milliseconds answer_age{500};
constexpr milliseconds answer_limit{1'000};
constexpr int prune_rows_max = 10'000;
// After the drain timeout: leases are given back, connections close.
constexpr milliseconds closing_time{3'000};

// The webhook's pool fails fast: the sender must hear 503 within two seconds.
pg::DatabaseConfig impatient(pg::DatabaseConfig database, milliseconds answer_timeout) {
    database.connect_timeout = std::min(database.connect_timeout, answer_timeout);
    database.acquire_timeout = std::min(database.acquire_timeout, answer_timeout);
    database.statement_timeout = std::min(database.statement_timeout, 5 * answer_timeout);
    return database;
}

jobs::ChoresConfig chores_of(const Config& config, std::string holder) {
    jobs::ChoresConfig chores = config.chores;
    chores.holder = std::move(holder);
    return chores;
}

webhooks::SigningSecrets secrets_of(const Config& config) {
    if (config.webhook_secrets.empty()) return {};
    auto secrets = webhooks::SigningSecrets::parse(config.webhook_secrets);
    ensure(secrets.has_value(), "make_config() has checked the webhook secrets");
    return std::move(*secrets);
}

webhooks::RoleRules roles_of(const Config& config) {
    return {config.users.roles, config.users.default_role};
}

}  // namespace

struct Service::Parts {
    Parts(Executor executor, Settings given_settings, Config given, Observers given_observers);

    // Neighbours and what they share.
    Executor executor;
    Settings settings;
    Config config;
    Observers observers;
    MetricsRegistry metrics;
    Random random;
    std::string name = jobs::worker_name(random);
    pg::Pool intake_pool;  // bulkheads: webhooks, workers and the rest never take each other's
    pg::Pool work_pool;
    pg::Pool pool;
    std::unique_ptr<clerk::ApiChannel> clerk_channel;  // null without a secret key
    std::unique_ptr<clerk::HttpBackendApi> clerk;      // the same

    // The queue and who works on it.
    jobs::Metrics job_metrics{metrics};
    jobs::JobQueue intake_queue{intake_pool};
    jobs::JobQueue queue{pool};
    jobs::QueueAdmin queue_admin{pool};
    jobs::Worker worker;
    jobs::Chores chores;
    pg::Notifier notifier;
    pg::Listener listener;
    std::unique_ptr<directory::Directory> directory;  // once the schema is there
    std::unique_ptr<sync::ApplyUser> apply_user;
    std::unique_ptr<sync::Refresh> refresh;
    std::unique_ptr<jobs::WorkLoop> apply_loop;
    std::unique_ptr<Polling> polling;
    jobs::WorkLoop opening;

    // The webhook door.
    webhooks::DeliveryLog deliveries;
    webhooks::Intake intake;
    webhooks::Endpoint endpoint;
    jobs::WorkLoop delivery_record;
    jobs::WorkLoop delivery_pruning;

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
    prometheus::Gauge& reload_successful;
    prometheus::Gauge& reload_time;
    Wakeup drained;
    bool all_ended = false;  // before that: nothing of this runs any more

    void add_routes();
    Duration poll_interval() const;
    Task<bool> database_answers();
    Task<Result<std::vector<jobs::Enqueued>>> enqueue(std::span<const jobs::NewJob> batch);
    Task<int> open_directory();
    Task<int> work_off();
    void start_workers();
    void wake(std::string_view whose);
    Task<std::string> queue_status();
    Task<> stop_polling(Duration limit, bool& ended);
    Task<> stop_applying(Duration limit, bool& ended);
    Task<> stop_worker(Duration limit, bool& ended);
    Task<> drain();
};

Service::Parts::Parts(Executor given_executor, Settings given_settings, Config given,
                      Observers given_observers)
    : executor(given_executor),
      settings(std::move(given_settings)),
      config(std::move(given)),
      observers(std::move(given_observers)),
      intake_pool(executor, "intake", static_cast<int>(config.webhooks.lanes),
                  impatient(config.database, config.webhooks.answer_timeout), metrics),
      work_pool(executor, "work", config.work.lanes, config.database, metrics),
      pool(executor, "general",
           config.connections_max - config.work.lanes - static_cast<int>(config.webhooks.lanes),
           config.database, metrics),
      worker(executor, queue,
             {.name = name,
              .capacity = config.work.concurrency,
              .lease = config.work.lease,
              .retry = config.work.retry,
              .poll_interval = [this] { return poll_interval(); }},
             job_metrics),
      chores(executor, pool, chores_of(config, name), job_metrics),
      notifier(executor, pool, std::string(wake_channel), notify_interval,
               std::string(jobs::queue_users)),
      listener(executor, config.database, std::string(wake_channel),
               [this](std::string_view whose) { wake(whose); }),
      opening(executor,
              {.name = "open_directory", .poll_interval = [] { return open_retry_interval; }},
              [this] { return open_directory(); }),
      deliveries(pool, real_clock(), config.webhooks),
      intake(
          executor, config.webhooks,
          [this](std::span<const jobs::NewJob> batch) { return enqueue(batch); }, metrics),
      endpoint(config.webhooks, secrets_of(config), roles_of(config),
               {intake, deliveries, real_clock(), random, metrics}),
      delivery_record(executor,
                      {.name = "delivery_record",
                       .full_pass = 2,
                       .poll_interval = [this] { return config.webhooks.record_interval; }},
                      [this]() -> Task<int> {
                          if (directory != nullptr) co_await deliveries.flush();
                          co_return 0;
                      }),
      delivery_pruning(executor,
                       {.name = "delivery_pruning",
                        .full_pass = prune_rows_max,
                        .poll_interval = [] { return std::chrono::hours(1); }},
                       [this]() -> Task<int> {
                           if (directory == nullptr) co_return 0;
                           co_return static_cast<int>(co_await webhooks::prune_deliveries(
                               pool, config.webhooks.record_retention, prune_rows_max));
                       }),
      loop_lag(executor, metrics),
      server_metrics(http::make_server_metrics(metrics)),
      public_server(executor, config.public_listener, public_router, server_metrics),
      admin_server(executor, config.admin_listener, admin_router, server_metrics),
      reload_successful(metrics
                            .gauge("rollcall_config_last_reload_successful",
                                   "1 when the last reload of the configuration was taken")
                            .Add({})),
      reload_time(metrics
                      .gauge("rollcall_config_last_reload_success_timestamp_seconds",
                             "When the configuration was last taken")
                      .Add({})),
      drained(executor) {
    if (!config.clerk.secret_key.empty()) {
        clerk_channel = std::make_unique<clerk::ApiChannel>(executor, config.clerk, metrics);
        clerk = std::make_unique<clerk::HttpBackendApi>(*clerk_channel);
    }
    polling = std::make_unique<Polling>(executor, config, name, clerk_channel.get(), metrics,
                                        job_metrics);
    alerts = make_alerts(executor, pool, config, name, clerk_channel.get(), job_metrics, metrics);
    publish_build_info(metrics);
    reload_successful.Set(1);
    reload_time.SetToCurrentTime();
    add_routes();
}

void Service::Parts::add_routes() {
    health.add("database", [this] { return database_answers(); });
    health.add("schema", [this]() -> Task<bool> { co_return directory != nullptr; });
    if (config.takes_webhooks()) endpoint.add_routes(public_router);
    polling->add_routes(public_router, admin_router);
    admin::add_process_jobs_route(public_router, config.cron_secret, [this] { return work_off(); });
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
    status.add("listening", [this]() -> Task<std::string> {
        co_return listener.listening() ? "true" : "false";
    });
    status.add("queue", [this] { return queue_status(); });
    status.add("users_table_takes_changes", [this]() -> Task<std::string> {
        if (apply_user == nullptr) co_return "null";
        co_return apply_user->standstill().empty() ? "true" : "false";
    });
    status.add("sync", [this]() -> Task<std::string> {
        if (!co_await database_answers()) co_return "null";
        co_return co_await polling->status();
    });
    status.add_routes(admin_router, config.admin_token);
    admin::add_json_route(admin_router, config.admin_token, "/api/v1/alerts",
                          [this]() -> Task<std::string> {
                              if (directory == nullptr) throw Unavailable("no schema yet");
                              co_return co_await alerts->list();
                          });
}

Task<bool> Service::Parts::database_answers() {
    co_return (co_await with_timeout(pool.healthy(answer_age), answer_limit)).value_or(false);
}

// Where notifications arrive a second is enough; through a pooler they may not.
Duration Service::Parts::poll_interval() const {
    return listener.listening()
               ? std::max<Duration>(config.work.poll_interval, std::chrono::seconds(1))
               : config.work.poll_interval;
}

Task<Result<std::vector<jobs::Enqueued>>> Service::Parts::enqueue(
    std::span<const jobs::NewJob> batch) {
    auto stored = co_await intake_queue.enqueue(batch);
    if (!stored) co_return stored;
    wake(jobs::queue_users);
    notifier.notify();
    for (std::size_t i = 0; i < batch.size(); ++i) {
        if (!(*stored)[i].duplicate) {
            job_metrics.enqueued(batch[i].kind, jobs::Metrics::Source::webhook);
        }
        if (observers.stored) observers.stored(batch[i], (*stored)[i]);
    }
    co_return stored;
}

// Who works off the queue `whose`; for "", which SQL functions notify, everyone.
void Service::Parts::wake(std::string_view whose) {
    if (apply_loop != nullptr) apply_loop->wake();
    if (config.roles.worker && whose != jobs::queue_users) worker.wake();
}

// A pass of the loop `opening`: does nothing once the directory is open.
Task<int> Service::Parts::open_directory() {
    if (directory != nullptr) co_return 0;
    pg::Migrator migrator(pool, migrations());
    const auto current = co_await migrator.up_to_date();
    if (!current || !*current) {
        log::warn("schema_not_ready",
                  {{"message", current ? "run: rollcall migrate" : current.error().message}});
        co_return 0;
    }
    auto opened = co_await directory::Directory::open(
        pool, {.columns = config.users, .batch = config.work.batch, .can_ask = clerk != nullptr});
    if (!opened) {
        log::error("users_table_not_usable", {{"message", opened.error().message}});
        if (opened.error().code == ErrorCode::bad_configuration && observers.refused) {
            std::exchange(observers.refused, nullptr)(opened.error());
        }
        co_return 0;
    }
    directory = std::move(*opened);
    apply_user = std::make_unique<sync::ApplyUser>(
        executor, work_pool, *directory, clerk.get(), config.work.retry,
        sync::ApplyConfig{config.work.batch, config.work.lanes}, job_metrics);
    if (observers.changed) apply_user->observe(observers.changed);
    if (clerk != nullptr) {
        refresh = std::make_unique<sync::Refresh>(pool, *directory, *clerk, config.sync.guard);
        refresh->observe(observers.changed, [this] { polling->deletion_held(); });
        worker.handle(std::string(jobs::refresh_user),
                      [this](const jobs::Job& job) { return refresh->handle(job); });
    }
    // Kept for a person: set going again it is what it was.
    worker.handle(std::string(jobs::unknown_event),
                  [](const jobs::Job& /*job*/) -> Task<jobs::Outcome> {
                      co_return jobs::Failed{"no handler for this kind of job"};
                  });
    log::info("directory_open", {{"table", config.users.table}});
    start_workers();
    polling->open(pool, *directory, observers.changed, observers.passed);
    co_return 0;
}

void Service::Parts::start_workers() {
    if (config.roles.worker) {
        apply_loop = std::make_unique<jobs::WorkLoop>(
            executor,
            jobs::WorkLoopConfig{.name = "apply_user",
                                 .lanes = config.work.lanes,
                                 .full_pass = config.work.batch,
                                 .gather = std::chrono::milliseconds(20),
                                 .poll_interval = [this] { return poll_interval(); },
                                 .busy = &job_metrics.workers_busy(jobs::queue_users)},
            [this] { return apply_user->run_once(); });
        job_metrics.workers(jobs::queue_users).Set(config.work.lanes);
        apply_loop->start();
        worker.start();
    }
    if (config.roles.scheduler) chores.start();
    alerts->start();
}

// For platforms that only have a scheduler: everything that is due, within the time limit.
Task<int> Service::Parts::work_off() {
    if (apply_user == nullptr) throw Unavailable("the schema is not ready");
    const auto end = std::chrono::steady_clock::now() + config.cron_time_limit;
    int worked = co_await chores.rescue();
    while (std::chrono::steady_clock::now() < end) {
        const int applied = co_await apply_user->run_once();
        const int left = co_await worker.run_due(std::chrono::duration_cast<milliseconds>(
            std::max<Duration>(end - std::chrono::steady_clock::now(), milliseconds(1))));
        worked += applied + left;
        if (applied + left > 0) continue;
        if (!apply_user->asking()) break;
        co_await apply_user->asked(end - std::chrono::steady_clock::now());
    }
    co_return worked;
}

Task<std::string> Service::Parts::queue_status() {
    if (directory == nullptr || !co_await database_answers()) co_return "null";
    co_return to_json(co_await queue_admin.depth());
}

Task<> Service::Parts::stop_polling(Duration limit, bool& ended) {
    ended = co_await polling->stop(limit);
    if (!ended) log::warn("pass_cut_short");
}

// What has not ended by then is as it was in the queue: due again.
Task<> Service::Parts::stop_applying(Duration limit, bool& ended) {
    if (apply_user != nullptr) apply_user->stop();
    const auto deadline = std::chrono::steady_clock::now() + limit;
    ended = apply_loop == nullptr || co_await apply_loop->stop(limit);
    if (apply_user == nullptr) co_return;
    ended = co_await apply_user->asked(deadline - std::chrono::steady_clock::now()) && ended;
    if (!ended) log::warn("changes_left_for_later");
}

Task<> Service::Parts::stop_worker(Duration limit, bool& ended) {
    const int abandoned = co_await worker.stop(std::chrono::duration_cast<milliseconds>(limit));
    if (abandoned > 0) log::warn("jobs_given_back", {{"jobs", abandoned}});
    ended = abandoned == 0;
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
    doors.push_back(stop_polling(left(), polled));
    co_await together(std::move(doors));
    co_await opening.stop();
    co_await intake.stop();
    bool applied = false;
    bool worked = false;
    std::vector<Task<>> stops;
    stops.push_back(stop_applying(left(), applied));
    stops.push_back(stop_worker(left(), worked));
    co_await together(std::move(stops));
    co_await chores.stop();
    co_await alerts->stop();
    co_await delivery_pruning.stop();
    co_await delivery_record.stop();
    listener.stop();
    loop_lag.stop();
    if (directory != nullptr && co_await database_answers()) co_await deliveries.flush();
    co_await admin_server.drain(milliseconds(1'000));
    co_await intake_pool.stop();
    co_await work_pool.stop();
    co_await pool.stop();
    all_ended = polled && applied && worked;
    drained.wake();
}

Service::Service(Executor executor, Settings settings, Config config, Observers observers)
    : parts_(std::make_unique<Parts>(executor, std::move(settings), std::move(config),
                                     std::move(observers))) {}

Service::~Service() = default;

Result<void> Service::start() {
    if (auto started = parts_->public_server.start(); !started) return started;
    if (auto started = parts_->admin_server.start(); !started) return started;
    spawn(parts_->executor, "listener", parts_->listener.run());
    parts_->opening.start();
    parts_->loop_lag.start();
    if (parts_->config.roles.ingest) {
        parts_->delivery_record.start();
        parts_->delivery_pruning.start();
    }
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

void Service::reload(Settings settings, const Config& config) {
    parts_->endpoint.use(secrets_of(config), roles_of(config));
    log::configure(config.log_level, config.log_format);
    for (const SettingKey& key : setting_keys()) {
        const bool taken = key.name == "clerk.webhook_secret" || key.name == "log.level" ||
                           key.name == "log.format";
        if (taken || settings.get(key.name).text == parts_->settings.get(key.name).text) continue;
        log::warn("config_restart_needed", {{"key", key.name}});
    }
    parts_->reload_successful.Set(1);
    parts_->reload_time.SetToCurrentTime();
    log::info("config_reloaded");
}

void Service::reload_failed(const Error& error) {
    parts_->reload_successful.Set(0);
    log::error("config_reload_failed", {{"message", error.message}});
}

unsigned short Service::public_port() const {
    return parts_->public_server.port();
}
unsigned short Service::admin_port() const {
    return parts_->admin_server.port();
}

}  // namespace rollcall::cli
