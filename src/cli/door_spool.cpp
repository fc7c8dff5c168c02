#include "cli/door_spool.hpp"

#include "alerts/local_alarm.hpp"
#include "alerts/sink.hpp"
#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/timeout.hpp"

#include <fmt/format.h>

#include <boost/asio/ip/host_name.hpp>
#include <chrono>
#include <utility>

namespace rollcall::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds drain_interval{1'000};
constexpr milliseconds report_interval{5'000};
// For how long the database's last answer counts, and how long it has for the next one.
constexpr milliseconds answer_age{500};
constexpr milliseconds answer_limit{1'000};

// What names the spool over all machines, and over its processes.
std::string place_of(const spool::SpoolConfig& config) {
    boost::system::error_code unknown;
    const std::string host = asio::ip::host_name(unknown);
    return fmt::format("{}:{}", unknown ? "localhost" : host, config.dir.string());
}

}  // namespace

struct DoorSpool::Parts {
    Parts(Executor executor, Neighbours given, webhooks::SpoolMetrics& metrics);

    Task<int> drain();
    Task<int> report();
    // That webhooks have waited too long while the database did not answer.
    [[nodiscard]] std::optional<alerts::Sighting> sighting() const;

    Neighbours to;
    std::string place;
    spool::Spool spool;
    webhooks::Spooling spooling;
    jobs::WorkLoop draining;
    jobs::WorkLoop reporting;
    alerts::Sink sink;  // of its own: what the evaluator tells waits for the database
    alerts::LocalAlarm alarm;
    jobs::WorkLoop watching;
};

DoorSpool::Parts::Parts(Executor executor, Neighbours given, webhooks::SpoolMetrics& metrics)
    : to(given),
      place(place_of(to.config.spool)),
      spool(executor, to.config.spool),
      spooling(to.config.webhooks, {to.config.users.roles, to.config.users.default_role},
               {spool, to.intake, real_clock(), metrics}),
      draining(executor, {.name = "spool_drain", .poll_interval = [] { return drain_interval; }},
               [this] { return drain(); }),
      reporting(executor, {.name = "spool_report", .poll_interval = [] { return report_interval; }},
                [this] { return report(); }),
      sink(executor, to.config.alerts.sink, to.metrics),
      alarm(executor, sink, {"Spooling", [this] { return sighting(); }},
            to.config.alerts.evaluator.policy, real_clock(), to.metrics),
      watching(executor,
               {.name = "spool_alarm",
                .poll_interval = [this] { return to.config.alerts.evaluator.interval; }},
               [this]() -> Task<int> {
                   co_await alarm.look();
                   co_return 0;
               }) {}

// One question instead of a batch of events, as long as the database is away.
Task<int> DoorSpool::Parts::drain() {
    if (spooling.stats().records == 0) co_return 0;
    const auto answers = co_await with_timeout(to.intake_pool.healthy(answer_age), answer_limit);
    if (!answers.value_or(false)) throw Unavailable("the database does not answer");
    const int drained = co_await spooling.drain();
    if (spooling.stats().records == 0) reporting.wake();
    co_return drained;
}

Task<int> DoorSpool::Parts::report() {
    co_await spooling.report(to.pool, place, to.instance);
    co_return 0;
}

std::optional<alerts::Sighting> DoorSpool::Parts::sighting() const {
    const milliseconds limit = to.config.alerts.evaluator.conditions.spooling;
    const auto since = spooling.silent_since();
    if (limit <= milliseconds(0) || !since || real_clock().now() - *since < limit) {
        return std::nullopt;
    }
    return alerts::Sighting{
        .since = *since,
        .labels = fmt::format(R"({{"place":{}}})", json_string(place)),
        .summary =
            fmt::format("The database does not take webhooks: {} of them wait in the spool {}",
                        spooling.stats().records, place)};
}

DoorSpool::DoorSpool(Executor executor, Neighbours neighbours) : metrics_(neighbours.metrics) {
    if (neighbours.config.spool.dir.empty()) return;
    parts_ = std::make_unique<Parts>(executor, neighbours, metrics_);
}

DoorSpool::~DoorSpool() = default;

Result<void> DoorSpool::open() {
    if (parts_ == nullptr) return {};
    auto opened = parts_->spooling.open();
    if (!opened && opened.error().code == ErrorCode::conflict) {
        return fail(ErrorCode::bad_configuration, opened.error().message);
    }
    return opened;
}

void DoorSpool::watch() {
    if (parts_ != nullptr) parts_->watching.start();
}

void DoorSpool::start() {
    if (parts_ == nullptr) return;
    parts_->draining.start();
    parts_->reporting.start();
}

void DoorSpool::use(const webhooks::RoleRules& roles) {
    if (parts_ != nullptr) parts_->spooling.use(roles);
}

webhooks::Spooling* DoorSpool::spooling() const {
    return parts_ == nullptr ? nullptr : &parts_->spooling;
}

std::string DoorSpool::status() const {
    if (parts_ == nullptr) return R"({"on":false})";
    const spool::SpoolStats& stats = parts_->spooling.stats();
    return fmt::format(
        R"({{"on":true,"events":{},"bytes":{},"bytes_max":{},"oldest":{},"damaged":{}}})",
        stats.records, stats.bytes, parts_->to.config.spool.bytes_max,
        stats.oldest ? json_string(to_rfc3339(*stats.oldest)) : "null", stats.damaged);
}

std::optional<alerts::AlertMessage> DoorSpool::alarm() const {
    return parts_ == nullptr ? std::nullopt : parts_->alarm.firing();
}

Task<bool> DoorSpool::stop_draining(Duration limit) {
    if (parts_ == nullptr) co_return true;
    const auto deadline = std::chrono::steady_clock::now() + bounded(limit);
    parts_->alarm.stop();
    bool all = true;
    for (jobs::WorkLoop* loop : {&parts_->watching, &parts_->reporting, &parts_->draining}) {
        all = co_await loop->stop(deadline - std::chrono::steady_clock::now()) && all;
    }
    co_return all;
}

Task<bool> DoorSpool::close(Duration limit) {
    co_return parts_ == nullptr || co_await parts_->spool.stop(limit);
}

}  // namespace rollcall::cli
