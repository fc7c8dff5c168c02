// The settings as the modules take them: checked, typed, with what contradicts named. Only this
// folder knows where a value came from; modules get their own structs.
#pragma once

#include "alerts/watch.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "clerk/api_channel.hpp"
#include "cli/commands.hpp"
#include "cli/settings.hpp"
#include "directory/column_map.hpp"
#include "http/server.hpp"
#include "jobs/chores.hpp"
#include "jobs/retry_policy.hpp"
#include "mirror/comparing.hpp"
#include "pg/pool.hpp"
#include "spool/config.hpp"
#include "supabase/auth_channel.hpp"
#include "sync/deletion_guard.hpp"
#include "sync/schedule.hpp"
#include "webhooks/config.hpp"

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace rollcall::cli {

enum class Mode : std::uint8_t {
    hybrid,   // webhooks, backed by polling
    webhook,  // webhooks alone
    polling,  // polling alone
};

// What one process does; all of it by default.
struct Roles {
    bool ingest = false;     // the webhook route
    bool worker = false;     // applies changes, runs jobs with outside effects
    bool scheduler = false;  // passes and chores that are due, on whichever instance has the lease
};

struct WorkConfig {
    int batch = 256;
    int lanes = 2;
    int concurrency = 16;
    bool hold_deletion_burst = false;  // deletions beyond the guard wait for a person
    std::chrono::milliseconds lease{15'000};
    std::chrono::milliseconds poll_interval{1'000};
    jobs::RetryPolicy retry;
};

struct SyncConfig {
    sync::ScheduleConfig schedule;
    int workers = 8;  // of a complete pass
    sync::DeletionGuard guard;
};

struct Config {
    Mode mode = Mode::hybrid;
    Roles roles;
    std::chrono::milliseconds shutdown_delay{0};
    std::chrono::milliseconds drain_timeout{25'000};
    http::ServerConfig public_listener;
    http::ServerConfig admin_listener;
    http::GuardConfig guard;  // of the public listener
    Secret admin_token;
    Secret cron_secret;
    std::chrono::milliseconds cron_time_limit{25'000};
    log::Level log_level = log::Level::info;
    log::Format log_format = log::Format::automatic;
    pg::DatabaseConfig database;
    int connections_max = 12;
    std::string webhook_secrets;    // as webhooks::SigningSecrets::parse takes them; secret
    clerk::BackendApiConfig clerk;  // without a key: Clerk cannot be asked
    supabase::AuthConfig supabase;  // without a URL or a key: no mirror
    mirror::ComparingConfig comparing;
    webhooks::WebhookConfig webhooks;
    spool::SpoolConfig spool;  // without a directory: no spool
    directory::ColumnMap users;
    WorkConfig work;
    jobs::ChoresConfig chores;
    std::chrono::milliseconds audit_kept = std::chrono::days(400);
    SyncConfig sync;
    alerts::AlertsConfig alerts;

    [[nodiscard]] bool takes_webhooks() const { return roles.ingest && mode != Mode::polling; }
    [[nodiscard]] bool mirrors() const { return !supabase.url.empty() && !supabase.key.empty(); }
    [[nodiscard]] bool schedules_passes() const { return mode != Mode::webhook; }
};

// What a command cannot do without; a missing one is bad_configuration, naming it.
struct Needs {
    bool database = false;
    bool clerk = false;  // the secret key
    bool serve = false;  // what the mode asks for: webhook secret, secret key
};

// The settings of this process: the file that --config or ROLLCALL_CONFIG names, the environment,
// and `flags`.
[[nodiscard]] Result<Settings> load_settings(const Globals& globals,
                                             std::map<std::string, std::string> flags);
[[nodiscard]] Result<Config> make_config(const Settings& settings, const Needs& needs);

// Both in turn, and the log as the settings want it.
[[nodiscard]] Result<Config> load_config(const Globals& globals,
                                         std::map<std::string, std::string> flags,
                                         const Needs& needs);

}  // namespace rollcall::cli
