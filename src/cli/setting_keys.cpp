#include "cli/settings.hpp"

#include <array>

namespace rollcall::cli {
namespace {

using enum SettingType;

constexpr std::array keys{
    SettingKey{"serve.mode", text, false, "ROLLCALL_MODE"},
    SettingKey{"serve.roles", list},
    SettingKey{"serve.listen", text, false, "ROLLCALL_LISTEN"},
    SettingKey{"serve.shutdown_delay", duration},
    SettingKey{"serve.drain_timeout", duration},
    SettingKey{"admin.listen", text},
    SettingKey{"admin.token", text, true},
    SettingKey{"log.level", text},
    SettingKey{"log.format", text},
    SettingKey{"database.url", text, true, "DATABASE_URL"},
    SettingKey{"database.prepared_statements", boolean},
    SettingKey{"database.connect_timeout", duration},
    SettingKey{"database.statement_timeout", duration},
    SettingKey{"database.connections_max", integer},
    SettingKey{"clerk.webhook_secret", list, true,
               "CLERK_WEBHOOK_SECRET CLERK_WEBHOOK_SIGNING_SECRET"},
    SettingKey{"clerk.secret_key", text, true, "CLERK_SECRET_KEY"},
    SettingKey{"clerk.api_url", text, false, "CLERK_API_URL"},
    SettingKey{"clerk.timeout", duration},
    SettingKey{"webhooks.body_max", size},
    SettingKey{"webhooks.batch_max", integer},
    SettingKey{"webhooks.lanes", integer},
    SettingKey{"webhooks.waiting_max", integer},
    SettingKey{"webhooks.answer_timeout", duration},
    SettingKey{"webhooks.failures_per_minute", number},
    SettingKey{"webhooks.failures_burst", number},
    SettingKey{"webhooks.failure_addresses_max", integer},
    SettingKey{"webhooks.deliveries_per_second", number},
    SettingKey{"webhooks.deliveries_burst", number},
    SettingKey{"webhooks.record_interval", duration},
    SettingKey{"webhooks.keep_record", duration},
    SettingKey{"users.table", text},
    SettingKey{"users.id_column", text},
    SettingKey{"users.clerk_id_column", text},
    SettingKey{"users.email_column", text},
    SettingKey{"users.name_column", text},
    SettingKey{"users.role_column", text},
    SettingKey{"users.created_at_columns", list},
    SettingKey{"users.updated_at_columns", list},
    SettingKey{"users.deleted_at_column", text},
    SettingKey{"users.roles", list},
    SettingKey{"users.default_role", text},
    SettingKey{"users.delete", text},
    SettingKey{"jobs.batch", integer},
    SettingKey{"jobs.lanes", integer},
    SettingKey{"jobs.max_attempts", integer},
    SettingKey{"jobs.backoff_base", duration},
    SettingKey{"jobs.backoff_max", duration},
    SettingKey{"jobs.lease", duration},
    SettingKey{"jobs.poll_interval", duration},
    SettingKey{"jobs.concurrency", integer},
    SettingKey{"jobs.keep_completed", duration},
    SettingKey{"jobs.keep_failed", duration},
    SettingKey{"jobs.keep_cancelled", duration},
    SettingKey{"jobs.blank_completed", duration},
    SettingKey{"jobs.blank_failed", duration},
    SettingKey{"cron.secret", text, true, "CRON_SECRET"},
    SettingKey{"cron.time_limit", duration},
};

}  // namespace

std::span<const SettingKey> setting_keys() {
    return keys;
}

}  // namespace rollcall::cli
