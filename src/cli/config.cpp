#include "cli/config.hpp"

#include "cli/version.hpp"
#include "http/client.hpp"
#include "supabase/auth_key.hpp"
#include "webhooks/signature.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace rollcall::cli {
namespace {

using std::chrono::milliseconds;

// The usual mistake: another of Clerk's keys than the one that starts with `wanted`.
std::string other_key(std::string_view key, std::string_view wanted) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kinds{
        {{"pk_", "publishable key"}, {"sk_", "secret key"}, {"whsec_", "webhook secret"}}};
    for (const auto& [prefix, kind] : kinds) {
        if (prefix != wanted && key.starts_with(prefix)) {
            return fmt::format("this is a {}; ", kind);
        }
    }
    return "";
}

// Turns settings into a Config, and remembers the first thing that is wrong.
class Reader {
public:
    explicit Reader(const Settings& settings) : settings_(settings) {}

    Result<Config> read(const Needs& needs) {
        read_serve();
        read_log();
        read_database(needs);
        read_clerk();
        read_webhooks();
        read_spool();
        read_users();
        read_supabase();
        read_jobs();
        read_sync();
        read_alerts();
        read_needs(needs);
        if (error_) return std::unexpected(*error_);
        return std::move(config_);
    }

private:
    void refuse(std::string_view key, std::string_view message) {
        if (!error_) error_ = settings_.error(key, message);
    }

    int whole(std::string_view key, std::int64_t low, std::int64_t high) {
        const std::int64_t value = settings_.integer(key);
        if (value < low || value > high) {
            refuse(key, fmt::format("must be between {} and {}", low, high));
        }
        return static_cast<int>(std::clamp(value, low, high));
    }

    double amount(std::string_view key) {
        const double value = settings_.number(key);
        if (!(value >= 0)) refuse(key, "must not be negative");
        return value;
    }

    milliseconds time(std::string_view key, milliseconds low, milliseconds high) {
        const milliseconds value = settings_.duration(key);
        if (value < low || value > high) {
            refuse(key, fmt::format("must be between {} ms and {} ms", low.count(), high.count()));
        }
        return value;
    }

    void read_serve() {
        const std::string mode = settings_.text("serve.mode");
        if (mode == "webhook") {
            config_.mode = Mode::webhook;
        } else if (mode == "polling") {
            config_.mode = Mode::polling;
        } else if (mode != "hybrid") {
            refuse("serve.mode", "must be hybrid, webhook or polling");
        }
        for (const std::string& role : settings_.list("serve.roles")) {
            if (role == "ingest") {
                config_.roles.ingest = true;
            } else if (role == "worker") {
                config_.roles.worker = true;
            } else if (role == "scheduler") {
                config_.roles.scheduler = true;
            } else if (role != "gate") {  // which reads its settings itself: cli/gate_config
                refuse("serve.roles", "must be of ingest, worker, scheduler, gate");
            }
        }
        if (settings_.list("serve.roles").empty()) refuse("serve.roles", "must not be empty");
        using namespace std::chrono_literals;
        config_.shutdown_delay = time("serve.shutdown_delay", 0ms, 5min);
        config_.drain_timeout = time("serve.drain_timeout", 100ms, 1h);
        config_.public_listener.listen = settings_.text("serve.listen");
        config_.public_listener.name = "public";
        read_guard();
        config_.admin_listener.listen = settings_.text("admin.listen");
        config_.admin_listener.name = "admin";
        config_.admin_token = Secret(settings_.text("admin.token"));
        config_.cron_secret = Secret(settings_.text("cron.secret"));
        config_.cron_time_limit = time("cron.time_limit", 100ms, 15min);
    }

    void read_log() {
        const std::string level = settings_.text("log.level");
        if (level == "debug") {
            config_.log_level = log::Level::debug;
        } else if (level == "info") {
            config_.log_level = log::Level::info;
        } else if (level == "warn") {
            config_.log_level = log::Level::warn;
        } else if (level == "error") {
            config_.log_level = log::Level::error;
        } else {
            refuse("log.level", "must be debug, info, warn or error");
        }
        const std::string format = settings_.text("log.format");
        if (format == "json") {
            config_.log_format = log::Format::json;
        } else if (format == "text") {
            config_.log_format = log::Format::text;
        } else if (format != "automatic") {
            refuse("log.format", "must be automatic, json or text");
        }
    }

    void read_database(const Needs& needs) {
        using namespace std::chrono_literals;
        config_.database.url = Secret(settings_.text("database.url"));
        if ((needs.database || needs.serve) && config_.database.url.empty()) {
            refuse("database.url", "is missing: set DATABASE_URL");
        }
        if (!config_.database.url.empty()) {
            if (auto url = pg::check(config_.database); !url) {
                refuse("database.url", url.error().message);
            }
        }
        config_.database.prepared_statements = settings_.boolean("database.prepared_statements");
        config_.database.connect_timeout = time("database.connect_timeout", 100ms, 1min);
        config_.database.statement_timeout = time("database.statement_timeout", 100ms, 1h);
        config_.connections_max = whole("database.connections_max", 6, 1000);
    }

    void read_clerk() {
        using namespace std::chrono_literals;
        for (const std::string& secret : settings_.list("clerk.webhook_secret")) {
            config_.webhook_secrets += (config_.webhook_secrets.empty() ? "" : " ") + secret;
        }
        if (!config_.webhook_secrets.empty()) {
            const auto secrets = webhooks::SigningSecrets::parse(config_.webhook_secrets);
            if (!secrets) {
                refuse("clerk.webhook_secret",
                       other_key(config_.webhook_secrets, "whsec_") + secrets.error().message);
            }
        }
        config_.clerk.secret_key = Secret(settings_.text("clerk.secret_key"));
        const auto key = config_.clerk.secret_key.reveal();
        if (!key.empty() && !key.starts_with("sk_live_") && !key.starts_with("sk_test_")) {
            refuse("clerk.secret_key",
                   fmt::format("{}must start with sk_live_ or sk_test_", other_key(key, "sk_")));
        }
        config_.clerk.url = settings_.text("clerk.api_url");
        while (config_.clerk.url.ends_with('/')) config_.clerk.url.pop_back();
        if (config_.clerk.url.ends_with("/v1")) {
            refuse("clerk.api_url", "must not end in /v1: it is added, as in Clerk's own SDK");
        }
        check_base("clerk.api_url", config_.clerk.url);
        config_.clerk.timeout = time("clerk.timeout", 100ms, 1min);
        config_.clerk.rate_limit = whole("clerk.rate_limit", 0, 10'000'000);
        config_.clerk.user_agent = fmt::format("rollcall/{}", version());
    }

    void read_webhooks() {
        using namespace std::chrono_literals;
        auto& w = config_.webhooks;
        w.body_bytes_max = settings_.size("webhooks.body_max");
        config_.public_listener.body_bytes_max = w.body_bytes_max;
        w.batch_max = static_cast<std::size_t>(whole("webhooks.batch_max", 1, 1000));
        w.lanes = static_cast<std::size_t>(whole("webhooks.lanes", 1, 16));
        w.waiting_max = static_cast<std::size_t>(whole("webhooks.waiting_max", 1, 1'000'000));
        w.answer_timeout = time("webhooks.answer_timeout", 50ms, 10s);
        w.refresh_users = config_.mode == Mode::hybrid;
        w.deliveries_per_second = amount("webhooks.deliveries_per_second");
        w.deliveries_burst = amount("webhooks.deliveries_burst");
        w.record_interval = time("webhooks.record_interval", 100ms, 10min);
        w.record_retention = std::chrono::duration_cast<std::chrono::hours>(
            time("webhooks.keep_record", 1h, 24h * 3650));
    }

    void read_spool();
    void check_base(std::string_view key, const std::string& url);
    void read_guard();
    void read_users();
    void read_supabase();
    void read_jobs();
    void read_sync();
    void read_alerts();

    void read_needs(const Needs& needs) {
        const int lanes = static_cast<int>(config_.webhooks.lanes) + config_.work.lanes;
        if (config_.connections_max < lanes + 2) {
            refuse("database.connections_max",
                   fmt::format("must be at least {}: webhooks.lanes, jobs.lanes and 2 more",
                               lanes + 2));
        }
        if (needs.clerk && config_.clerk.secret_key.empty()) {
            refuse("clerk.secret_key", "is missing: set CLERK_SECRET_KEY");
        }
        if (!needs.serve) return;
        if (config_.takes_webhooks() && config_.webhook_secrets.empty()) {
            refuse("clerk.webhook_secret",
                   "is missing: set CLERK_WEBHOOK_SECRET, or ROLLCALL_MODE=polling to do without "
                   "it");
        }
        if (config_.mode != Mode::webhook && config_.clerk.secret_key.empty()) {
            refuse("clerk.secret_key",
                   "is missing: set CLERK_SECRET_KEY, or ROLLCALL_MODE=webhook to do without it");
        }
    }

    const Settings& settings_;
    Config config_;
    std::optional<Error> error_;
};

// Of an address that paths are added to.
void Reader::check_base(std::string_view key, const std::string& url) {
    if (auto sound = http::check_upstream_url(url); !sound) {
        refuse(key, sound.error().message);
    } else if (url.find_first_of("?#") != std::string::npos) {
        refuse(key, "must be without a query: paths are added to it");
    }
}

void Reader::read_spool() {
    auto& spool = config_.spool;
    spool.dir = settings_.text("spool.dir");
    if (!spool.dir.empty() && !spool.dir.is_absolute()) {
        refuse("spool.dir", "must be an absolute path");
    }
    spool.bytes_max = settings_.size("spool.bytes_max");
    if (spool.bytes_max < std::size_t{1024} * 1024) {
        refuse("spool.bytes_max", "must be at least 1MiB");
    }
    spool.segment_max = settings_.size("spool.segment_max");
    if (spool.segment_max < std::size_t{64} * 1024 || spool.segment_max > spool.bytes_max / 2) {
        refuse("spool.segment_max", "must be between 64KiB and half of spool.bytes_max");
    }
    // What goes with a body into its record is short.
    constexpr std::size_t body_max = spool::record_bytes_max - std::size_t{64} * 1024;
    if (!spool.dir.empty() && config_.webhooks.body_bytes_max > body_max) {
        refuse("webhooks.body_max", "must be at most 1984KiB where spool.dir is set");
    }
}

void Reader::read_guard() {
    auto& listener = config_.public_listener;
    listener.connections_per_address_max =
        static_cast<std::size_t>(whole("serve.connections_per_address_max", 0, 1'000'000));
    if (auto proxies = http::TrustedProxies::parse(settings_.list("gate.trusted_proxies"))) {
        listener.trusted_proxies = *std::move(proxies);
    } else {
        refuse("gate.trusted_proxies", proxies.error().message);
    }
    auto& guard = config_.guard;
    guard.failures_per_minute = amount("webhooks.failures_per_minute");
    guard.failures_burst = amount("webhooks.failures_burst");
    guard.addresses_max =
        static_cast<std::size_t>(whole("webhooks.failure_addresses_max", 1, 10'000'000));
    guard.requests_per_second = amount("serve.requests_per_second");
    guard.requests_burst = amount("serve.requests_burst");
}

void Reader::read_users() {
    auto& users = config_.users;
    users.table = settings_.text("users.table");
    users.id = settings_.text("users.id_column");
    users.clerk_id = settings_.text("users.clerk_id_column");
    users.email = settings_.text("users.email_column");
    users.name = settings_.text("users.name_column");
    users.role = settings_.text("users.role_column");
    users.created_at = settings_.list("users.created_at_columns");
    users.updated_at = settings_.list("users.updated_at_columns");
    users.deleted_at = settings_.text("users.deleted_at_column");
    users.writable = settings_.list("users.writable_columns");
    users.roles = settings_.list("users.roles");
    users.default_role = settings_.text("users.default_role");
    const auto mode = directory::parse_delete_mode(settings_.text("users.delete"));
    if (!mode) refuse("users.delete", "must be soft or hard");
    users.delete_mode = mode.value_or(directory::DeleteMode::soft);
    if (const auto table = directory::parse_table_name(users.table); !table) {
        refuse("users.table", table.error().message);
    } else if (const auto sound = directory::check(users); !sound) {
        refuse("users.table", sound.error().message);
    }
}

void Reader::read_supabase() {
    using namespace std::chrono_literals;
    auto& supabase = config_.supabase;
    supabase.url = settings_.text("supabase.url");
    for (const std::string_view tail : {"/", "/auth/v1", "/"}) {
        if (supabase.url.ends_with(tail)) supabase.url.erase(supabase.url.size() - tail.size());
    }
    if (supabase.url.ends_with("/v1")) {
        refuse("supabase.url", "must be the project's own, as https://REF.supabase.co");
    }
    if (!supabase.url.empty()) check_base("supabase.url", supabase.url);
    supabase.key = Secret(settings_.text("supabase.service_role_key"));
    if (!supabase.key.empty()) {
        if (auto key = supabase::check_key(supabase.key); !key) {
            refuse("supabase.service_role_key", key.error().message);
        }
    }
    const std::string path = settings_.text("supabase.auth_path");
    if (path == "/auth/v1") {
        supabase.path = supabase::AuthPath::hosted;
    } else if (path == "none") {
        supabase.path = supabase::AuthPath::bare;
    } else if (path != "automatic") {
        refuse("supabase.auth_path", "must be automatic, /auth/v1 or none");
    }
    supabase.timeout = time("supabase.timeout", 100ms, 10s);
    supabase.connections_max = static_cast<std::size_t>(whole("supabase.concurrency", 1, 64));
    supabase.user_agent = config_.clerk.user_agent;
    config_.comparing.interval = time("supabase.compare_interval", 1s, 24h * 365);
    if (config_.mirrors() && config_.users.email.empty()) {
        refuse("users.email_column", "must be named: Supabase Auth knows users by their address");
    }
}

void Reader::read_jobs() {
    using namespace std::chrono_literals;
    auto& work = config_.work;
    work.batch = whole("jobs.batch", 1, 10'000);
    work.lanes = whole("jobs.lanes", 1, 16);
    work.concurrency = whole("jobs.concurrency", 1, 1000);
    work.lease = time("jobs.lease", 1s, 15s);
    work.poll_interval = time("jobs.poll_interval", 10ms, 1min);
    work.retry.attempts_max = whole("jobs.max_attempts", 1, 1000);
    work.retry.backoff = {time("jobs.backoff_base", 1ms, 2s), time("jobs.backoff_max", 1ms, 24h)};
    if (work.retry.backoff.max < work.retry.backoff.base) {
        refuse("jobs.backoff_max", "must not be shorter than jobs.backoff_base");
    }
    work.hold_deletion_burst = settings_.boolean("webhooks.hold_deletion_burst");
    auto& chores = config_.chores;
    chores.attempts_max = work.retry.attempts_max;
    constexpr auto longest = 24h * 3650;
    chores.keep_completed = time("jobs.keep_completed", 1s, longest);
    chores.keep_failed = time("jobs.keep_failed", 1s, longest);
    chores.keep_cancelled = time("jobs.keep_cancelled", 1s, longest);
    chores.keep_personal_completed = time("jobs.blank_completed", 1s, longest);
    chores.keep_personal_failed = time("jobs.blank_failed", 1s, longest);
    // Before that the table itself lets no entry go.
    config_.audit_kept = time("audit.keep", 24h * 365, longest);
}

void Reader::read_sync() {
    using namespace std::chrono_literals;
    config_.clerk.rate_share = settings_.number("sync.rate_share");
    if (!(config_.clerk.rate_share > 0 && config_.clerk.rate_share <= 1)) {
        refuse("sync.rate_share", "must be above 0 and at most 1");
    }
    auto& sync = config_.sync;
    sync.schedule.interval = time("sync.interval", 1s, 24h * 365);
    sync.schedule.full_interval = time("sync.full_interval", 1s, 24h * 365);
    if (sync.schedule.full_interval < sync.schedule.interval) {
        refuse("sync.full_interval", "must not be shorter than sync.interval");
    }
    sync.workers = whole("sync.workers", 1, 64);
    sync.guard.users = whole("sync.delete_guard_users", 0, 1'000'000'000);
    sync.guard.ratio = settings_.number("sync.delete_guard_ratio");
    if (!(sync.guard.ratio >= 0 && sync.guard.ratio <= 1)) {
        refuse("sync.delete_guard_ratio", "must be between 0 and 1");
    }
}

void Reader::read_alerts() {
    using namespace std::chrono_literals;
    constexpr auto longest = 24h * 365;
    auto& sink = config_.alerts.sink;
    sink.url = Secret(settings_.text("alerts.webhook_url"));
    if (!sink.url.empty()) {
        if (auto url = http::check_upstream_url(sink.url.reveal()); !url) {
            refuse("alerts.webhook_url", url.error().message);
        }
    }
    sink.timeout = time("alerts.timeout", 100ms, 1min);
    sink.user_agent = config_.clerk.user_agent;
    auto& evaluator = config_.alerts.evaluator;
    evaluator.evaluates = config_.roles.scheduler;
    // Open circuits of an instance that has not told of them for five minutes do not count.
    evaluator.interval = time("alerts.interval", 100ms, 1min);
    evaluator.policy.cooldown = time("alerts.cooldown", 0ms, longest);
    evaluator.policy.resolve_after = time("alerts.resolve_after", 0ms, longest);
    auto& conditions = evaluator.conditions;
    conditions.polls = config_.schedules_passes();
    conditions.takes_webhooks = config_.mode != Mode::polling;  // some instance does
    conditions.sync_failures = whole("alerts.sync_failures", 0, 10'000);
    conditions.sync_stale = time("alerts.sync_stale", 0ms, longest);
    if (conditions.sync_stale > 0ms) {
        conditions.sync_stale = std::max(conditions.sync_stale, 3 * config_.sync.schedule.interval);
    }
    conditions.deletes_held = settings_.boolean("alerts.deletes_held");
    conditions.webhook_silence = time("alerts.webhook_silence", 0ms, longest);
    conditions.signature_failures_ratio = settings_.number("alerts.signature_failures_ratio");
    if (!(conditions.signature_failures_ratio >= 0 && conditions.signature_failures_ratio < 1)) {
        refuse("alerts.signature_failures_ratio", "must be at least 0 and below 1");
    }
    conditions.signature_failures_min = whole("alerts.signature_failures_min", 1, 1'000'000);
    conditions.dead_letters = whole("alerts.dead_letters", 0, 10'000);
    conditions.queue_stuck = time("alerts.queue_stuck", 0ms, longest);
    conditions.drift_passes = whole("alerts.drift_passes", 0, 10'000);
    conditions.drift_users = whole("alerts.drift_users", 1, 1'000'000'000);
    conditions.circuit_open = time("alerts.circuit_open", 0ms, longest);
    conditions.spooling = time("alerts.spooling", 0ms, longest);
    conditions.mirrors = config_.mirrors();
    conditions.mirror_behind = time("alerts.mirror_behind", 0ms, longest);
    conditions.deletion_burst = settings_.boolean("alerts.deletion_burst");
    conditions.guarded_users = config_.sync.guard.users;
    conditions.guarded_ratio = config_.sync.guard.ratio;
    conditions.admin_granted = settings_.boolean("alerts.admin_granted");
    conditions.foreign_jobs = whole("alerts.foreign_jobs", 0, 1000);
    conditions.signature_failures_network =
        whole("alerts.signature_failures_network", 0, 1'000'000'000);
}

}  // namespace

Result<Settings> load_settings(const Globals& globals, std::map<std::string, std::string> flags) {
    return Settings::load({globals.config_file, std::move(flags), process_environment()});
}

Result<Config> make_config(const Settings& settings, const Needs& needs) {
    return Reader(settings).read(needs);
}

Result<Config> load_config(const Globals& globals, std::map<std::string, std::string> flags,
                           const Needs& needs) {
    const auto settings = load_settings(globals, std::move(flags));
    if (!settings) return std::unexpected(settings.error());
    auto config = make_config(*settings, needs);
    if (config) log::configure(config->log_level, config->log_format);
    return config;
}

}  // namespace rollcall::cli
