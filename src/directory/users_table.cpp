#include "directory/users_table.hpp"

#include "directory/catalog.hpp"
#include "directory/sql.hpp"
#include "directory/table_shape.hpp"
#include "directory/users_table_sql.hpp"

#include <cstdint>
#include <expected>
#include <utility>

namespace rollcall::directory {
namespace {

Error bad(std::string message) {
    return {ErrorCode::bad_configuration, std::move(message)};
}

// What the policies name: there already, or made by rollcall.ensure_access before they are.
enum class Surroundings : std::uint8_t { made, foreseen };

Task<> read_lacking(pg::Transaction& tx, Surroundings surroundings, UsersTableFacts& facts) {
    const pg::Rows rows = co_await tx.execute(sql::lacking);
    for (int row = 0; row < rows.size(); ++row) {
        const std::string_view name = rows.text(row, 0);
        if (surroundings == Surroundings::foreseen && rows.boolean(row, 1)) {
            continue;
        }
        if (name == "anon" || name == "authenticated") facts.roles_exist = false;
        if (name == "service_role") facts.service_role_exists = false;
        facts.lacking.emplace_back(rows.text(row, 2));
    }
}

Task<std::vector<std::string>> read_names(pg::Transaction& tx, const pg::Statement& statement,
                                          const TableName& table) {
    const pg::Rows rows =
        co_await tx.execute(statement, pg::Params().text(table.schema).text(table.table));
    co_return rows.texts(0);
}

// What rollcall made by itself beside the table.
Task<> read_own(pg::Transaction& tx, const TableName& table, UsersTableFacts& facts) {
    const pg::Rows policies =
        co_await tx.execute(sql::own_policies, pg::Params().text(table.schema).text(table.table));
    for (int row = 0; row < policies.size(); ++row) {
        facts.own_policies.emplace(policies.text(row, 0),
                                   OwnPolicy{.made_from = std::string(policies.text(row, 1)),
                                             .command = std::string(policies.text(row, 2)),
                                             .qual = std::string(policies.text(row, 3)),
                                             .check = std::string(policies.text(row, 4)),
                                             .for_authenticated = policies.boolean(row, 5)});
    }
    const pg::Rows functions = co_await tx.execute(sql::caller_functions);
    for (int row = 0; row < functions.size(); ++row) {
        facts.caller_functions.emplace(functions.text(row, 0), functions.text(row, 1));
    }
}

// What the plan needs to know beside the table itself.
Task<UsersTableFacts> read_facts(pg::Transaction& tx, const TableName& table,
                                 Surroundings surroundings) {
    UsersTableFacts facts;
    facts.catalog = co_await read_catalog(tx, table);
    const pg::Rows rows =
        co_await tx.execute(sql::surroundings, pg::Params().text(table.schema).text(table.table));
    facts.schema_exists = rows.boolean(0, 0);
    facts.enum_exists = rows.boolean(0, 1);
    facts.schema_open = rows.boolean(0, 2);
    facts.names_taken = rows.boolean(0, 3);
    facts.made_by_rollcall = rows.boolean(0, 4);
    co_await read_lacking(tx, surroundings, facts);
    const pg::Rows labels = co_await tx.execute(sql::enum_labels, pg::Params().text(table.schema));
    facts.enum_labels = labels.texts(0);
    co_await read_own(tx, table, facts);
    facts.open_policies = co_await read_names(tx, sql::open_policies, table);
    co_return facts;
}

// Clerk ids that more than one row has: none may before they can be made unique.
Task<Result<void>> count_duplicates(pg::Transaction& tx, const ColumnMap& columns,
                                    UsersTableFacts& facts) {
    if (!facts.catalog.exists || clerk_id_key(facts.catalog, columns)) co_return Result<void>();
    if (facts.catalog.find(columns.clerk_id) == nullptr) co_return Result<void>();
    const std::string text = duplicates_sql(columns);
    const auto rows = co_await tx.try_execute({"directory_duplicates", text});
    if (!rows) {
        co_return fail(ErrorCode::forbidden,
                       "users table: it cannot be read: " + std::string(rows.error().what()));
    }
    facts.duplicate_ids = rows->bigint(0, 0);
    facts.stray_ids = rows->bigint(0, 1);
    co_return Result<void>();
}

Task<Result<UsersTablePlan>> plan_in(pg::Transaction& tx, const ColumnMap& columns,
                                     UsersTableOptions options, Surroundings surroundings) {
    const auto table = parse_table_name(columns.table);
    if (!table) co_return std::unexpected(table.error());
    UsersTableFacts facts = co_await read_facts(tx, *table, surroundings);
    if (auto counted = co_await count_duplicates(tx, columns, facts); !counted) {
        co_return std::unexpected(counted.error());
    }
    co_return plan_of(facts, columns, options);
}

Error refused(const pg::SqlError& error, const ColumnMap& columns) {
    if (error.sqlstate() == "42501") {
        return {ErrorCode::forbidden, "users table " + columns.table +
                                          ": the database role may not change it: " + error.what()};
    }
    return bad("users table " + columns.table + ": " + error.what());
}

// Where the step that defines it has been applied. What it may not do the plan says.
Task<Result<void>> ensure_access(pg::Transaction& tx) {
    const pg::Rows known = co_await tx.execute(sql::has_ensure_access);
    if (!known.boolean(0, 0)) co_return Result<void>();
    const auto done = co_await tx.try_execute(sql::ensure_access);
    if (!done) {
        co_return fail(ErrorCode::forbidden,
                       "rollcall.ensure_access(): " + std::string(done.error().what()));
    }
    co_return Result<void>();
}

}  // namespace

Task<Result<UsersTablePlan>> plan_users_table(pg::Pool& pool, const ColumnMap& columns,
                                              UsersTableOptions options) {
    if (auto good = check(columns); !good) co_return std::unexpected(good.error());
    pg::Transaction tx = co_await pool.begin();
    co_return co_await plan_in(tx, columns, options, Surroundings::foreseen);
}

Task<Result<UsersTablePlan>> ensure_users_table(pg::Pool& pool, const ColumnMap& columns,
                                                UsersTableOptions options) {
    if (auto good = check(columns); !good) co_return std::unexpected(good.error());
    pg::Transaction tx = co_await pool.begin();
    co_await tx.execute(sql::lock_users_table);
    if (auto access = co_await ensure_access(tx); !access) {
        co_return std::unexpected(access.error());
    }
    auto plan = co_await plan_in(tx, columns, options, Surroundings::made);
    if (!plan) co_return plan;
    for (const UsersTablePlan::Step& step : plan->steps) {
        const auto done = co_await tx.try_execute_script(step.sql);
        if (!done) {
            Error error = refused(done.error(), columns);
            error.message += " (" + step.what + ")";
            co_return std::unexpected(std::move(error));
        }
    }
    const auto committed = co_await tx.try_commit();
    if (!committed) co_return std::unexpected(refused(committed.error(), columns));
    co_return plan;
}

}  // namespace rollcall::directory
