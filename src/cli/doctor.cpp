#include "cli/doctor.hpp"

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "clerk/http_backend_api.hpp"
#include "cli/migrations.hpp"
#include "cli/sql.hpp"
#include "cli/version.hpp"
#include "directory/directory.hpp"
#include "directory/users_table.hpp"
#include "jobs/job.hpp"
#include "jobs/queue_admin.hpp"
#include "jobs/reason.hpp"
#include "pg/migrator.hpp"
#include "webhooks/signature.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ranges>
#include <set>
#include <utility>

namespace rollcall::cli {
namespace {

constexpr int oldest_server = 140000;
constexpr std::int64_t clock_offset_max_ms = 2'000;
constexpr std::size_t foreign_kinds_shown = 8;
// No user has this id; a 404 for it shows that the key is good.
constexpr std::string_view nobody = "user_rollcalldoctor00000000000000";

void check_webhook_secret(const Config& config, Findings& findings) {
    if (!config.roles.ingest) return;
    const auto secrets = webhooks::SigningSecrets::parse(config.webhook_secrets);
    if (config.webhook_secrets.empty() || !secrets) {
        return findings.fail("webhook_secret", "none is set",
                             "set CLERK_WEBHOOK_SECRET from Clerk's dashboard, Webhooks");
    }
    const SystemTime now = real_clock().now();
    const std::string timestamp = std::to_string(
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
    for (std::size_t slot = 0; slot < secrets->size(); ++slot) {
        const std::string signature = secrets->sign(slot, "msg_doctor", timestamp, "{}");
        const auto verdict =
            webhooks::verify(*secrets, {"msg_doctor", timestamp, signature}, "{}", now);
        if (!verdict || verdict->slot != slot) {
            return findings.fail("webhook_secret",
                                 fmt::format("secret {} fails its self-test", slot + 1),
                                 "is the same secret given twice?");
        }
    }
    findings.ok("webhook_secret",
                fmt::format("{} in force, each signs and verifies", secrets->size()));
}

void check_queue_counts(const std::vector<jobs::QueueCount>& counts,
                        const std::vector<jobs::StuckJob>& stuck, Findings& findings) {
    std::int64_t dead = 0;
    std::int64_t due = 0;
    for (const jobs::QueueCount& count : counts) {
        if (!jobs::is_own(count.kind)) continue;
        if (count.status == "FAILED") dead += count.jobs;
        due += count.due;
    }
    if (dead > 0) {
        findings.warn("dead_letters", fmt::format("{} jobs are FAILED", dead),
                      "rollcall jobs list --status FAILED; mend the cause, then jobs retry ID");
    } else {
        findings.ok("dead_letters", "none");
    }
    if (!stuck.empty()) {
        findings.warn("stuck_jobs", fmt::format("{} jobs wait for more than an hour", stuck.size()),
                      "is a process with the role worker running? rollcall jobs stats");
    } else {
        findings.ok("stuck_jobs", fmt::format("none; {} due now", due));
    }
}

// An application may keep jobs of its own in the table; a misspelt type looks the same.
void check_foreign_jobs(const std::vector<jobs::QueueCount>& counts, Findings& findings) {
    std::int64_t foreign = 0;
    std::set<std::string_view> kinds;
    for (const jobs::QueueCount& count : counts) {
        if (jobs::is_own(count.kind)) continue;
        foreign += count.jobs;
        kinds.insert(count.kind);
    }
    if (foreign == 0) return;
    std::string names;
    for (const std::string_view kind : kinds | std::views::take(foreign_kinds_shown)) {
        names += (names.empty() ? "" : ", ") + jobs::clean_reason(kind);
    }
    if (kinds.size() > foreign_kinds_shown) names += ", …";
    findings.warn("foreign_jobs",
                  fmt::format("{} jobs of types rollcall does not know: {}", foreign, names),
                  "rollcall leaves them alone: is the application that works them off running, and "
                  "is each type spelt right?");
}

Task<> check_server(pg::Pool& pool, Findings& findings) {
    const auto facts = co_await pool.execute(sql::server_facts);
    const std::int64_t offset = facts.bigint(0, 4) - real_clock().now().time_since_epoch().count();
    if (facts.bigint(0, 1) < oldest_server) {
        findings.fail("database", fmt::format("PostgreSQL {} is too old", facts.text(0, 0)),
                      "use version 14 or newer");
    } else if (facts.boolean(0, 2) || facts.boolean(0, 3)) {
        findings.fail("database", "is a replica, or read-only",
                      "point DATABASE_URL at the primary");
    } else {
        findings.ok("database", fmt::format("PostgreSQL {}, database {}, as {}", facts.text(0, 0),
                                            facts.text(0, 6), facts.text(0, 5)));
    }
    if (std::abs(offset) > clock_offset_max_ms) {
        findings.warn("clock", fmt::format("differs from the database's by {} ms", offset),
                      "synchronise both with NTP: signatures are valid for 300 s");
    } else {
        findings.ok("clock", fmt::format("{} ms from the database's", offset));
    }
}

bool check_steps(const std::vector<pg::MigrationStep>& steps, Findings& findings) {
    const auto applied = std::ranges::count_if(steps, &pg::MigrationStep::applied);
    const bool all = std::cmp_equal(applied, steps.size());
    if (all) {
        findings.ok("schema", fmt::format("{} steps applied", applied));
    } else if (applied == 0) {
        findings.fail(
            "schema", "there is none of rollcall's in this database",
            "run: rollcall migrate; if it has been run, DATABASE_URL is not that database");
    } else {
        findings.fail("schema", fmt::format("{} of {} steps are applied", applied, steps.size()),
                      "run: rollcall migrate");
    }
    return all;
}

Task<bool> check_schema(pg::Pool& pool, const Config& config, Findings& findings) {
    const auto steps = co_await pg::Migrator(pool, migrations()).status();
    if (!steps) {
        findings.fail("schema", steps.error().message,
                      "use the rollcall that made it, or a newer one");
        co_return false;
    }
    if (!check_steps(*steps, findings)) co_return false;
    const auto plan = co_await directory::plan_users_table(pool, config.users, {});
    if (!plan) {
        findings.fail("users_table", plan.error(), "see section [users] of rollcall.toml");
    } else if (!plan->steps.empty()) {
        findings.fail("users_table", "lacks: " + plan->steps.front().what, "run: rollcall migrate");
    } else {
        findings.ok("users_table", config.users.table + " can be used");
        for (const std::string& note : plan->notes) {
            findings.warn("users_table", note, "docs/directory.md says what the table needs");
        }
    }
    co_return plan && plan->steps.empty();
}

}  // namespace

void check_settings(const Settings& settings, const Config& config, Findings& findings) {
    findings.ok("config", fmt::format("mode {}, roles {}", settings.text("serve.mode"),
                                      settings.get("serve.roles").text));
    check_webhook_secret(config, findings);
    if (config.clerk.secret_key.empty()) {
        if (config.mode == Mode::hybrid) {
            findings.fail("clerk_key", "none is set",
                          "set CLERK_SECRET_KEY, or ROLLCALL_MODE=webhook");
        } else {
            findings.warn("clerk_key", "none is set: ties are settled by arrival",
                          "set CLERK_SECRET_KEY so that Clerk can be asked");
        }
    }
    if (config.admin_token.empty()) {
        findings.warn("admin_token", "none is set: /statusz answers 404",
                      "set ROLLCALL_ADMIN_TOKEN");
    }
}

Task<> check_database(pg::Pool& pool, const Config& config, Findings& findings) {
    co_await check_server(pool, findings);
    if (!co_await check_schema(pool, config, findings)) co_return;
    const auto exposed = co_await pool.execute(sql::exposed_tables);
    if (exposed.empty()) {
        findings.ok("exposure", "anon and authenticated see nothing of the queue or rollcall");
    } else {
        findings.fail("exposure",
                      fmt::format("{} is open to anon or authenticated", exposed.text(0, 0)),
                      fmt::format("REVOKE ALL ON {} FROM anon, authenticated", exposed.text(0, 0)));
    }
    jobs::QueueAdmin admin(pool);
    const auto counts = co_await admin.stats();
    check_queue_counts(counts, co_await admin.stuck(std::chrono::hours(1)), findings);
    check_foreign_jobs(counts, findings);
}

Task<> check_clerk(Executor executor, const Config& config, Findings& findings) {
    if (config.clerk.secret_key.empty()) co_return;
    MetricsRegistry unseen;
    clerk::ApiChannel channel(executor, config.clerk, unseen);
    clerk::HttpBackendApi clerk(channel);
    const auto answer = co_await clerk.get_user(nobody);
    if (answer) {
        findings.ok("clerk", config.clerk.url + " answers, the key is good");
    } else if (answer.error().code == ErrorCode::unauthenticated) {
        findings.fail("clerk", answer.error(),
                      "check CLERK_SECRET_KEY: Clerk's dashboard, API keys; of the same instance "
                      "as the webhook secret");
    } else {
        findings.fail("clerk", answer.error(),
                      "check CLERK_API_URL, and the network from here to " + config.clerk.url);
    }
}

}  // namespace rollcall::cli
