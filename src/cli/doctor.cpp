#include "cli/doctor.hpp"

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "clerk/answers.hpp"
#include "clerk/api_channel.hpp"
#include "cli/migrations.hpp"
#include "cli/sql.hpp"
#include "cli/version.hpp"
#include "directory/directory.hpp"
#include "directory/users_table.hpp"
#include "http/date.hpp"
#include "jobs/job.hpp"
#include "jobs/metrics.hpp"
#include "jobs/queue_admin.hpp"
#include "jobs/reason.hpp"
#include "pg/migrator.hpp"
#include "sync/run_ledger.hpp"
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
constexpr std::int64_t offset_max_seconds = 3;
constexpr double due_max_seconds = 300;
constexpr std::size_t foreign_kinds_shown = 8;

void check_webhook_secret(const Config& config, Findings& findings) {
    if (!config.takes_webhooks()) return;
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

// Those that are held back are FAILED too, but wait for a decision and no mending.
void check_queue_counts(const std::vector<jobs::QueueCount>& counts, std::int64_t held,
                        const std::vector<jobs::StuckJob>& stuck, Findings& findings) {
    std::int64_t dead = -held;
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

void check_held_by_webhook(std::int64_t users, Findings& findings) {
    if (users == 0) return;
    findings.warn("held_by_webhook",
                  fmt::format("{} deletions by webhook wait for a person", users),
                  "rollcall deletions lists them; then deletions approve, or discard, --from "
                  "webhook");
}

// The mirror's are another check's.
void check_queue_age(const std::vector<jobs::QueueDepth>& depths, Findings& findings) {
    const jobs::QueueDepth* oldest = nullptr;
    for (const jobs::QueueDepth& depth : depths) {
        if (depth.queue == jobs::queue_mirror) continue;
        if (oldest == nullptr ||
            depth.oldest_ready_age_seconds > oldest->oldest_ready_age_seconds) {
            oldest = &depth;
        }
    }
    if (oldest == nullptr || oldest->oldest_ready_age_seconds <= due_max_seconds) {
        findings.ok("queue_age", "nothing has been due for long");
        return;
    }
    findings.warn("queue_age",
                  fmt::format("the oldest job of queue {} has been due for {:.0f} minutes; {} wait",
                              oldest->queue, oldest->oldest_ready_age_seconds / 60, oldest->ready),
                  "is a process with the role worker running, and does the users table take "
                  "changes?");
}

Task<> check_circuits(pg::Pool& pool, Findings& findings) {
    const pg::Rows open = co_await pool.execute(sql::open_circuits);
    for (int row = 0; row < open.size(); ++row) {
        findings.warn("circuits",
                      fmt::format("{} instances leave {} alone, for up to {} s, after failures",
                                  open.bigint(row, 1), open.text(row, 0), open.bigint(row, 2)),
                      "the log line circuit_open has the reason");
    }
    if (open.empty()) findings.ok("circuits", "no instance tells of one that is open");
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

// Whether the table takes changes, by a change of nothing.
Task<> check_changes(pg::Pool& pool, const Config& config, Findings& findings) {
    auto directory = co_await directory::Directory::open(pool, {.columns = config.users});
    if (!directory) {
        findings.fail("users_table_changes", directory.error(),
                      "docs/directory.md says what the table needs");
        co_return;
    }
    const auto taken = co_await (*directory)->probe(pool);
    if (taken) {
        findings.ok("users_table_changes", "the table takes changes");
    } else {
        findings.fail("users_table_changes", jobs::reason_of(taken.error()),
                      "all changes wait: is a privilege missing, or a trigger or constraint new?");
    }
}

bool is_live(const Secret& secret_key) {
    return secret_key.reveal().starts_with("sk_live_");
}

void check_key_kind(const Config& config, const clerk::Instance& instance, Findings& findings) {
    const std::string_view kind = is_live(config.clerk.secret_key) ? "live" : "test";
    const bool production = instance.environment_type == "production";
    if (production == is_live(config.clerk.secret_key)) {
        findings.ok("clerk_key", fmt::format("a {} key of {} ({})", kind, instance.id,
                                             instance.environment_type));
    } else {
        findings.warn("clerk_key",
                      fmt::format("a {} key, but {} is a {} instance", kind, instance.id,
                                  instance.environment_type),
                      "set clerk.rate_limit to the instance's quota, or use its own key");
    }
}

void check_instance(const sync::SyncState& state, const clerk::Instance& instance,
                    Findings& findings) {
    if (state.instance_id.empty()) {
        findings.ok("clerk_instance",
                    "the first pass will note that this database is of " + instance.id);
    } else if (state.instance_id == instance.id) {
        findings.ok("clerk_instance", "this database is filled from " + instance.id);
    } else {
        findings.fail("clerk_instance",
                      fmt::format("the secret key is of {}, this database is filled from {}",
                                  instance.id, state.instance_id),
                      "set the key of that instance, or the database of this one");
    }
}

std::string advice_on_clerk(unsigned status, const Config& config) {
    if (status == 401 || status == 403) {
        return "check CLERK_SECRET_KEY: Clerk's dashboard, API keys; of the same instance as the "
               "webhook secret";
    }
    if (status == 429) {
        return "the quota of this Clerk instance is used up: wait, or lower clerk.rate_limit; who "
               "else asks with its keys?";
    }
    if (status >= 500) return "Clerk has trouble, see status.clerk.com: try again later";
    return "check CLERK_API_URL, and the network from here to " + config.clerk.url;
}

}  // namespace

void check_offset(std::string check, std::string_view whose, std::int64_t offset,
                  Findings& findings) {
    if (std::abs(offset) > offset_max_seconds) {
        findings.warn(std::move(check), fmt::format("differs from {} by {} s", whose, offset),
                      "synchronise it with NTP: signatures are valid for 300 s");
    } else {
        findings.ok(std::move(check), fmt::format("{} s from {}", offset, whose));
    }
}

std::optional<std::int64_t> date_offset(const http::Response& answer) {
    const auto sent = answer.headers.get("Date");
    const auto theirs = sent ? http::parse_http_date(*sent) : std::nullopt;
    if (!theirs) return std::nullopt;
    return std::chrono::round<std::chrono::seconds>(real_clock().now() - *theirs).count();
}

void check_settings(const Settings& settings, const Config& config, Findings& findings) {
    findings.ok("config", fmt::format("mode {}, roles {}", settings.text("serve.mode"),
                                      settings.get("serve.roles").text));
    for (const StrangeVariable& variable : settings.strange_variables()) {
        findings.warn("environment", variable.name + " is no setting and changes nothing",
                      variable.likely.empty()
                          ? "unset it, unless another program reads it: docs/configuration.md"
                          : "is " + variable.likely + " meant?");
    }
    check_webhook_secret(config, findings);
    if (config.clerk.secret_key.empty()) {
        if (config.mode != Mode::webhook) {
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

Task<bool> check_database(pg::Pool& pool, const Config& config, Findings& findings) {
    co_await check_server(pool, findings);
    co_await check_database_role(pool, findings);
    co_await check_replication(pool, findings);
    if (!co_await check_schema(pool, config, findings)) co_return false;
    co_await check_changes(pool, config, findings);
    const auto exposed = co_await pool.execute(sql::exposed_tables);
    if (exposed.empty()) {
        findings.ok("exposure", "anon and authenticated see nothing of the queue or rollcall");
    } else {
        findings.fail("exposure",
                      fmt::format("{} is open to anon or authenticated", exposed.text(0, 0)),
                      fmt::format("REVOKE ALL ON {} FROM anon, authenticated", exposed.text(0, 0)));
    }
    co_await check_row_access(pool, config, findings);
    jobs::QueueAdmin admin(pool);
    const auto held = co_await pool.execute(sql::held_by_webhook);
    check_held_by_webhook(held.bigint(0, 0), findings);
    const auto counts = co_await admin.stats();
    check_queue_counts(counts, held.bigint(0, 0), co_await admin.stuck(std::chrono::hours(1)),
                       findings);
    check_foreign_jobs(counts, findings);
    check_queue_age(co_await admin.depth(), findings);
    co_await check_circuits(pool, findings);
    co_return true;
}

Task<std::optional<clerk::Instance>> check_clerk(Executor executor, const Config& config,
                                                 Findings& findings) {
    if (config.clerk.secret_key.empty()) co_return std::nullopt;
    MetricsRegistry unseen;
    clerk::ApiChannel channel(executor, config.clerk, unseen);
    std::int64_t requests = 0;
    const auto answer =
        co_await channel.get("get_instance", "/v1/instance", clerk::prompt, requests);
    const auto instance = clerk::read_instance_answer(answer);
    if (!instance) {
        findings.fail("clerk", instance.error(),
                      advice_on_clerk(answer ? 200 : answer.error().status, config));
        co_return std::nullopt;
    }
    findings.ok("clerk", config.clerk.url + " answers, the key is good");
    check_key_kind(config, *instance, findings);
    if (const auto offset = date_offset(*answer)) {
        check_offset("clerk_clock", "Clerk's", *offset, findings);
    }
    co_return *instance;
}

Task<> check_polling(pg::Pool& pool, const Config& config,
                     const std::optional<clerk::Instance>& instance, Findings& findings) {
    const sync::SyncState state = co_await sync::RunLedger(pool, "doctor").state();
    if (instance) check_instance(state, *instance, findings);
    if (state.held_deletes > 0) {
        findings.warn("held_deletes",
                      fmt::format("{} deletions wait for a person", state.held_deletes),
                      fmt::format("rollcall sync --approve-deletes {0} or --discard-deletes {0}",
                                  state.held_run));
    }
    if (state.held_by_id > 0) {
        findings.warn("held_by_id",
                      fmt::format("{} deletions of single users are held back", state.held_by_id),
                      "rollcall sync --full judges them together");
    }
    if (!config.schedules_passes()) co_return;
    if (state.failures_in_a_row > 0) {
        findings.warn("sync",
                      fmt::format("the last {} passes did not complete", state.failures_in_a_row),
                      "rollcall sync --history says why");
    } else if (!state.full_completed_at) {
        findings.warn("sync", "no complete pass has completed yet",
                      "is a process with the role scheduler running? rollcall sync --full");
    } else {
        findings.ok("sync", fmt::format("the last complete pass ended {}",
                                        to_rfc3339(*state.full_completed_at)));
    }
}

}  // namespace rollcall::cli
