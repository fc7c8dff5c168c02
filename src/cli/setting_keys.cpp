#include "cli/settings.hpp"

#include <array>

namespace rollcall::cli {
namespace {

using enum SettingType;

constexpr std::array keys{
    SettingKey{"serve.mode", text, false, "ROLLCALL_MODE"},
    SettingKey{"serve.roles", list, false, ""},
    SettingKey{"serve.listen", text, false, "ROLLCALL_LISTEN"},
    SettingKey{"serve.shutdown_delay", duration, false, ""},
    SettingKey{"serve.drain_timeout", duration, false, ""},
    SettingKey{"admin.listen", text, false, ""},
    SettingKey{"admin.token", text, true, ""},
    SettingKey{"log.level", text, false, ""},
    SettingKey{"log.format", text, false, ""},
    SettingKey{"database.url", text, true, "DATABASE_URL"},
    SettingKey{"database.prepared_statements", boolean, false, ""},
    SettingKey{"database.connect_timeout", duration, false, ""},
    SettingKey{"database.statement_timeout", duration, false, ""},
    SettingKey{"database.connections_max", integer, false, ""},
    SettingKey{"clerk.webhook_secret", list, true,
               "CLERK_WEBHOOK_SECRET CLERK_WEBHOOK_SIGNING_SECRET"},
    SettingKey{"clerk.secret_key", text, true, "CLERK_SECRET_KEY"},
    SettingKey{"clerk.api_url", text, false, "CLERK_API_URL"},
    SettingKey{"clerk.timeout", duration, false, ""},
    SettingKey{"clerk.rate_limit", integer, false, ""},
    SettingKey{"sync.interval", duration, false, ""},
    SettingKey{"sync.full_interval", duration, false, ""},
    SettingKey{"sync.workers", integer, false, ""},
    SettingKey{"sync.rate_share", number, false, ""},
    SettingKey{"sync.delete_guard_users", integer, false, ""},
    SettingKey{"sync.delete_guard_ratio", number, false, ""},
    SettingKey{"webhooks.body_max", size, false, ""},
    SettingKey{"webhooks.batch_max", integer, false, ""},
    SettingKey{"webhooks.lanes", integer, false, ""},
    SettingKey{"webhooks.waiting_max", integer, false, ""},
    SettingKey{"webhooks.answer_timeout", duration, false, ""},
    SettingKey{"webhooks.failures_per_minute", number, false, ""},
    SettingKey{"webhooks.failures_burst", number, false, ""},
    SettingKey{"webhooks.failure_addresses_max", integer, false, ""},
    SettingKey{"webhooks.deliveries_per_second", number, false, ""},
    SettingKey{"webhooks.deliveries_burst", number, false, ""},
    SettingKey{"webhooks.record_interval", duration, false, ""},
    SettingKey{"webhooks.keep_record", duration, false, ""},
    SettingKey{"users.table", text, false, ""},
    SettingKey{"users.id_column", text, false, ""},
    SettingKey{"users.clerk_id_column", text, false, ""},
    SettingKey{"users.email_column", text, false, ""},
    SettingKey{"users.name_column", text, false, ""},
    SettingKey{"users.role_column", text, false, ""},
    SettingKey{"users.created_at_columns", list, false, ""},
    SettingKey{"users.updated_at_columns", list, false, ""},
    SettingKey{"users.deleted_at_column", text, false, ""},
    SettingKey{"users.writable_columns", list, false, ""},
    SettingKey{"users.roles", list, false, ""},
    SettingKey{"users.default_role", text, false, ""},
    SettingKey{"users.delete", text, false, ""},
    SettingKey{"jobs.batch", integer, false, ""},
    SettingKey{"jobs.lanes", integer, false, ""},
    SettingKey{"jobs.max_attempts", integer, false, ""},
    SettingKey{"jobs.backoff_base", duration, false, ""},
    SettingKey{"jobs.backoff_max", duration, false, ""},
    SettingKey{"jobs.lease", duration, false, ""},
    SettingKey{"jobs.poll_interval", duration, false, ""},
    SettingKey{"jobs.concurrency", integer, false, ""},
    SettingKey{"jobs.keep_completed", duration, false, ""},
    SettingKey{"jobs.keep_failed", duration, false, ""},
    SettingKey{"jobs.keep_cancelled", duration, false, ""},
    SettingKey{"jobs.blank_completed", duration, false, ""},
    SettingKey{"jobs.blank_failed", duration, false, ""},
    SettingKey{"cron.secret", text, true, "CRON_SECRET"},
    SettingKey{"cron.time_limit", duration, false, ""},
};

}  // namespace

std::span<const SettingKey> setting_keys() {
    return keys;
}

}  // namespace rollcall::cli
