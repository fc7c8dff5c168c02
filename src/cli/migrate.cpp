#include "cli/migrate.hpp"

#include "audit/audit_log.hpp"
#include "base/json.hpp"

namespace rollcall::cli {
namespace {

std::string detail_of(const std::vector<std::string>& steps) {
    std::string list;
    for (const std::string& step : steps) list += (list.empty() ? "" : ",") + json_string(step);
    return R"({"steps":[)" + list + "]}";
}

}  // namespace

Task<Result<MigrateOutcome>> run_migrations(pg::Pool& pool, const directory::ColumnMap& columns,
                                            directory::UsersTableOptions options, bool dry_run,
                                            const Actor& by) {
    // Looked at first: a table that cannot be used is refused before anything changes.
    auto plan = co_await directory::plan_users_table(pool, columns, options);
    if (!plan) co_return std::unexpected(plan.error());
    pg::Migrator migrator(pool, migrations());
    MigrateOutcome outcome;
    if (dry_run) {
        const auto steps = co_await migrator.status();
        if (!steps) co_return std::unexpected(steps.error());
        for (const pg::MigrationStep& step : *steps) {
            if (!step.applied) outcome.steps.push_back(step.name);
        }
    } else {
        auto applied = co_await migrator.apply();
        if (!applied) co_return std::unexpected(applied.error());
        outcome.steps = std::move(*applied);
        if (!outcome.steps.empty()) {
            co_await audit::record(pool, by,
                                   {.action = "migrate", .detail = detail_of(outcome.steps)});
        }
        plan = co_await directory::ensure_users_table(pool, columns, options);
        if (!plan) co_return std::unexpected(plan.error());
    }
    for (const auto& step : plan->steps) {
        outcome.users_table.push_back(step.what);
        if (dry_run) outcome.users_table_sql.push_back(step.sql);
    }
    outcome.notes = std::move(plan->notes);
    co_return outcome;
}

}  // namespace rollcall::cli
