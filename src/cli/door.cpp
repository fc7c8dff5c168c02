#include "cli/door.hpp"

#include "base/clock.hpp"
#include "base/result.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace rollcall::cli {
namespace {

using std::chrono::milliseconds;

constexpr int prune_rows_max = 10'000;
// Of the time until an answer, what the disk has when the database took the rest.
constexpr milliseconds spool_time{300};

// The webhook's pool fails fast: the sender must hear 503 within two seconds.
pg::DatabaseConfig impatient(pg::DatabaseConfig database, milliseconds answer_timeout) {
    database.connect_timeout = std::min(database.connect_timeout, answer_timeout);
    database.acquire_timeout = std::min(database.acquire_timeout, answer_timeout);
    database.statement_timeout = std::min(database.statement_timeout, 5 * answer_timeout);
    return database;
}

// With a spool the store gives up early enough for the disk to be asked.
webhooks::WebhookConfig store_config(const Config& config) {
    webhooks::WebhookConfig webhooks = config.webhooks;
    if (config.spool.dir.empty()) return webhooks;
    const milliseconds all = webhooks.answer_timeout;
    webhooks.answer_timeout = std::max(all - spool_time, all / 2);
    return webhooks;
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

Door::Door(Executor executor, Neighbours neighbours, Stored stored)
    : config_(neighbours.config),
      pool_(neighbours.pool),
      job_metrics_(neighbours.job_metrics),
      stored_(std::move(stored)),
      intake_pool_(executor, "intake", static_cast<int>(config_.webhooks.lanes),
                   impatient(config_.database, store_config(config_).answer_timeout),
                   neighbours.metrics),
      queue_(intake_pool_),
      deliveries_(pool_, real_clock(), config_.webhooks),
      intake_(
          executor, store_config(config_),
          [this](std::span<const jobs::NewJob> batch) { return enqueue(batch); },
          neighbours.metrics),
      spool_(executor, {.config = config_,
                        .pool = pool_,
                        .intake_pool = intake_pool_,
                        .intake = intake_,
                        .instance = neighbours.instance,
                        .metrics = neighbours.metrics}),
      endpoint_(config_.webhooks, secrets_of(config_), roles_of(config_),
                {intake_, deliveries_, neighbours.guard, real_clock(), neighbours.random,
                 neighbours.metrics, spool_.spooling()}),
      recording_(executor,
                 {.name = "delivery_record",
                  .full_pass = 2,
                  .poll_interval = [this] { return config_.webhooks.record_interval; }},
                 [this] { return record(); }),
      pruning_(executor,
               {.name = "delivery_pruning",
                .full_pass = prune_rows_max,
                .poll_interval = [] { return std::chrono::hours(1); }},
               [this] { return prune(); }) {}

void Door::add_routes(http::Router& router) {
    if (config_.takes_webhooks()) endpoint_.add_routes(router);
}

Result<void> Door::open_spool() {
    return spool_.open();
}

void Door::start() {
    spool_.watch();
    if (!config_.roles.ingest) return;
    recording_.start();
    pruning_.start();
}

void Door::open() {
    has_schema_ = true;
    spool_.start();
}

void Door::reload(const Config& config) {
    endpoint_.use(secrets_of(config), roles_of(config));
    spool_.use(roles_of(config));
}

Task<Result<std::vector<jobs::Enqueued>>> Door::enqueue(std::span<const jobs::NewJob> batch) {
    auto stored = co_await queue_.enqueue(batch);
    if (!stored) co_return stored;
    for (std::size_t i = 0; i < batch.size(); ++i) {
        if ((*stored)[i].duplicate) continue;
        job_metrics_.enqueued(batch[i].kind, jobs::Metrics::Source::webhook);
    }
    stored_(batch, *stored);
    co_return stored;
}

Task<int> Door::record() {
    if (has_schema_) co_await deliveries_.flush();
    co_return 0;
}

Task<int> Door::prune() {
    if (!has_schema_) co_return 0;
    co_return static_cast<int>(co_await webhooks::prune_deliveries(
        pool_, config_.webhooks.record_retention, prune_rows_max));
}

Task<bool> Door::stop_intake(Duration limit) {
    const bool drained = co_await spool_.stop_draining(limit / 2);
    co_await intake_.stop();
    const bool closed = co_await spool_.close(limit / 2);
    co_return drained&& closed;
}

Task<> Door::stop_recording() {
    co_await pruning_.stop();
    co_await recording_.stop();
}

Task<> Door::flush() {
    co_await deliveries_.flush();
}

Task<> Door::disconnect() {
    co_await intake_pool_.stop();
}

}  // namespace rollcall::cli
