#include "cli/mirroring.hpp"

#include "base/json.hpp"
#include "base/log.hpp"
#include "clerk/http_backend_api.hpp"
#include "directory/outbox.hpp"
#include "jobs/job_trace.hpp"
#include "jobs/queue.hpp"
#include "jobs/work_loop.hpp"
#include "jobs/worker.hpp"
#include "mirror/compare.hpp"
#include "mirror/comparing.hpp"
#include "mirror/copies.hpp"
#include "mirror/mirror_user.hpp"
#include "pg/pool.hpp"
#include "supabase/http_auth_api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace rollcall::cli {
namespace {

using std::chrono::milliseconds;

// Handlers wait for Auth, not for the database. One more is for a comparison.
constexpr int connections = 3;
constexpr milliseconds probe_interval{500};
constexpr milliseconds keeping_interval{15'000};
// In timeouts: for how long a write may still be carried out that nobody waits for any more. Auth
// itself gives a request up after ten seconds, unless it is told otherwise.
constexpr int late_writes = 4;
// What waits for Auth is done within a minute after an outage.
constexpr Backoff outage_backoff{milliseconds(1'000), milliseconds(15'000)};

jobs::RetryPolicy retry_of(const Config& config) {
    jobs::RetryPolicy retry = config.work.retry;
    retry.outage = outage_backoff;
    return retry;
}

// What must be left of a lease for a write to begin: what the request may take, but no more than
// there always is, since leases are renewed every third.
milliseconds time_to_write(const Config& config) {
    return std::min(config.supabase.timeout, config.work.lease / 2);
}

// Members of an object.
std::string compared_json(const mirror::Compared& last) {
    return fmt::format(
        R"("compared_at":{},"by":{},"drift":{},"foreign":{},"held":{},"removals_allowed":{},)"
        R"("failure":{})",
        json_time(last.at), last.by.empty() ? "null" : json_string(last.by),
        last.at ? fmt::format(R"({{"missing":{},"different":{},"extra":{}}})", last.drift.missing,
                              last.drift.different, last.drift.extra)
                : "null",
        last.foreign, last.held, last.allowed,
        last.failure.empty() ? "null" : json_string(last.failure));
}

std::string waits_json(const supabase::AuthChannel& channel) {
    const auto waits = channel.waits(real_clock().steady());
    if (!waits) return "null";
    return fmt::format(R"({{"reason":"{}","ms":{}}})", waits->reason, waits->left.count());
}

void tell_off(const Config& config) {
    if (!config.supabase.url.empty()) {
        log::warn("mirror_off", {{"reason", "SUPABASE_SERVICE_ROLE_KEY is missing"}});
    } else if (!config.supabase.key.empty()) {
        log::warn("mirror_off", {{"reason", "SUPABASE_URL is missing"}});
    } else {
        log::info("mirror_off", {{"reason", "neither SUPABASE_URL nor a key is set"}});
    }
}

}  // namespace

mirror::CompareConfig compare_config(const Config& config, std::string instance) {
    mirror::CompareConfig made;
    made.instance = std::move(instance);
    made.guard = [guard = config.sync.guard](std::int64_t removed, std::int64_t living) {
        return guard.holds(removed, living);
    };
    made.lease = config.work.lease;
    return made;
}

struct Mirroring::Parts {
    Parts(Executor given_executor, const Config& given, const std::string& given_instance,
          clerk::ApiChannel* given_clerk, MetricsRegistry& registry, jobs::Metrics& job_metrics,
          mirror::Metrics& mirror_metrics);

    [[nodiscard]] mirror::MirrorUser handler_over(supabase::AuthApi& way, clerk::BackendApi* asked);
    Task<jobs::Outcome> run(const jobs::Job& job);
    Task<int> probe();
    Task<int> keep();
    [[nodiscard]] int room() const;

    Executor executor;
    const Config& config;
    std::string instance;
    mirror::Metrics& metrics;
    pg::Pool pool;
    clerk::ApiChannel* clerk_channel;  // null without a secret key
    supabase::AuthChannel channel;
    supabase::HttpAuthApi auth;
    std::unique_ptr<clerk::HttpBackendApi> clerk;
    jobs::JobQueue queue;
    jobs::Worker worker;
    mirror::Copies copies;
    directory::Directory* directory = nullptr;  // this and the next three: since open()
    std::unique_ptr<mirror::MirrorUser> handler;
    std::unique_ptr<mirror::Compare> compare;
    std::unique_ptr<mirror::Comparing> comparing;
    jobs::WorkLoop probing;
    jobs::WorkLoop keeping;
};

Mirroring::Parts::Parts(Executor given_executor, const Config& given,
                        const std::string& given_instance, clerk::ApiChannel* given_clerk,
                        MetricsRegistry& registry, jobs::Metrics& job_metrics,
                        mirror::Metrics& mirror_metrics)
    : executor(given_executor),
      config(given),
      instance(given_instance),
      metrics(mirror_metrics),
      pool(executor, "mirror", connections, config.database, registry),
      clerk_channel(given_clerk),
      channel(executor, config.supabase, registry),
      auth(channel),
      clerk(clerk_channel == nullptr ? nullptr
                                     : std::make_unique<clerk::HttpBackendApi>(*clerk_channel)),
      queue(pool, jobs::Lane::mirror),
      worker(executor, queue,
             {.name = instance + ":mirror",
              .capacity = static_cast<int>(config.supabase.connections_max),
              .lease = config.work.lease,
              .room = [this] { return room(); },
              .on_lost = [this](const jobs::Job& job) -> Task<> { co_await handler->lost(job); },
              .retry = retry_of(config),
              .poll_interval = [this] { return config.work.poll_interval; }},
             job_metrics),
      copies(pool, late_writes * config.supabase.timeout),
      probing(executor, {.name = "mirror_probe", .poll_interval = [] { return probe_interval; }},
              [this] { return probe(); }),
      keeping(executor,
              {.name = "mirror_keeping", .poll_interval = [] { return keeping_interval; }},
              [this] { return keep(); }) {}

// While the circuit is not closed no job is taken out of the queue, only to be put back.
int Mirroring::Parts::room() const {
    if (channel.circuit() != http::Breaker::State::closed) return 0;
    return channel.room(static_cast<int>(config.supabase.connections_max));
}

mirror::MirrorUser Mirroring::Parts::handler_over(supabase::AuthApi& way,
                                                  clerk::BackendApi* asked) {
    return {{.pool = pool,
             .outbox = directory->outbox(),
             .copies = copies,
             .auth = way,
             .clerk = asked,
             .metrics = metrics},
            [this](const jobs::Job& job) { return worker.holds(job, time_to_write(config)); }};
}

// Each job over ways of its own to Auth and Clerk, whose requests belong to the job's trace.
Task<jobs::Outcome> Mirroring::Parts::run(const jobs::Job& job) {
    const TraceContext trace = jobs::trace_of(job);
    supabase::HttpAuthApi traced(channel, trace);
    std::optional<clerk::HttpBackendApi> asked;
    if (clerk_channel != nullptr) asked.emplace(*clerk_channel, clerk::prompt, trace);
    mirror::MirrorUser one = handler_over(traced, asked ? &*asked : nullptr);
    co_return co_await one.handle(job);
}

// The circuit moves by calls alone, and no job makes one then.
Task<int> Mirroring::Parts::probe() {
    if (channel.circuit() == http::Breaker::State::closed || channel.room(1) == 0) co_return 0;
    const auto page = co_await auth.page(1, 1);
    if (page) worker.wake();
    co_return 0;
}

Task<int> Mirroring::Parts::keep() {
    co_await directory->outbox().want(pool);
    metrics.known(co_await copies.counts());
    metrics.compared(co_await compare->record().last());
    co_return 0;
}

Mirroring::Mirroring(Executor executor, const Config& config, std::string instance,
                     clerk::ApiChannel* clerk, MetricsRegistry& registry,
                     jobs::Metrics& job_metrics)
    : metrics_(registry) {
    if (!config.mirrors()) {
        tell_off(config);
        return;
    }
    parts_ =
        std::make_unique<Parts>(executor, config, instance, clerk, registry, job_metrics, metrics_);
}

Mirroring::~Mirroring() = default;

void Mirroring::open(directory::Directory& directory) {
    if (parts_ == nullptr) return;
    Parts& parts = *parts_;
    parts.directory = &directory;
    parts.handler =
        std::make_unique<mirror::MirrorUser>(parts.handler_over(parts.auth, parts.clerk.get()));
    parts.worker.handle(std::string(jobs::mirror_user),
                        [&parts](const jobs::Job& job) { return parts.run(job); });
    parts.compare = std::make_unique<mirror::Compare>(
        mirror::Compare::Neighbours{.pool = parts.pool, .directory = directory, .auth = parts.auth},
        compare_config(parts.config, parts.instance));
    parts.comparing = std::make_unique<mirror::Comparing>(
        parts.executor, *parts.compare, parts.auth, parts.config.comparing, [this] { wake(); });
    parts.keeping.start();
    if (parts.config.roles.worker) {
        parts.worker.start();
        parts.probing.start();
        parts.comparing->start();
    }
    log::info("mirror_on", {{"url", parts.config.supabase.url}});
}

void Mirroring::wake() {
    if (parts_ != nullptr && parts_->handler != nullptr && parts_->config.roles.worker) {
        parts_->worker.wake();
    }
}

Task<int> Mirroring::work_off(milliseconds limit) {
    if (parts_ == nullptr || parts_->handler == nullptr) co_return 0;
    const auto end = std::chrono::steady_clock::now() + limit;
    co_await parts_->probe();  // nobody else does without the role worker, nor compares
    if (!parts_->config.roles.worker) co_await parts_->comparing->run_due(limit / 2);
    co_return co_await parts_->worker.run_due(std::chrono::duration_cast<milliseconds>(
        std::max<Duration>(end - std::chrono::steady_clock::now(), milliseconds(1))));
}

Task<std::string> Mirroring::status() {
    if (parts_ == nullptr) co_return R"({"on":false})";
    const auto circuit = http::to_string(parts_->channel.circuit());
    const std::string waits = waits_json(parts_->channel);
    if (parts_->handler == nullptr) {
        co_return fmt::format(R"({{"on":true,"circuit":"{}","waits":{}}})", circuit, waits);
    }
    const auto counts = co_await parts_->copies.counts();
    co_return fmt::format(
        R"({{"on":true,"circuit":"{}","waits":{},"pending":{},"dead":{},"skipped":{},{}}})",
        circuit, waits, counts.pending, counts.dead, counts.skipped,
        compared_json(co_await parts_->compare->record().last()));
}

const supabase::AuthChannel* Mirroring::channel() const {
    return parts_ == nullptr ? nullptr : &parts_->channel;
}

Task<bool> Mirroring::stop(Duration limit) {
    if (parts_ == nullptr) co_return true;
    const auto deadline = std::chrono::steady_clock::now() + limit;
    if (parts_->comparing != nullptr) parts_->comparing->interrupt();
    const int abandoned =
        co_await parts_->worker.stop(std::chrono::duration_cast<milliseconds>(limit));
    if (abandoned > 0) log::warn("mirror_jobs_given_back", {{"jobs", abandoned}});
    const auto left = [deadline] {
        return std::max<Duration>(deadline - std::chrono::steady_clock::now(), Duration::zero());
    };
    const bool compared = parts_->comparing == nullptr || co_await parts_->comparing->stop(left());
    const bool probed = co_await parts_->probing.stop(left());
    const bool kept = co_await parts_->keeping.stop(left());
    co_return abandoned == 0 && compared&& probed&& kept;
}

Task<> Mirroring::disconnect() {
    if (parts_ != nullptr) co_await parts_->pool.stop();
}

}  // namespace rollcall::cli
