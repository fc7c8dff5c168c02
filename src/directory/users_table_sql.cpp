#include "directory/users_table_sql.hpp"

#include "base/ascii.hpp"
#include "directory/caller_functions.hpp"
#include "directory/row_access.hpp"
#include "directory/table_shape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

namespace rollcall::directory {
namespace {

using Step = UsersTablePlan::Step;

// Defaults of the columns that the application may use beside ours.
constexpr std::string_view preferences_default =
    R"({"displayUnit": "A1C", "reminderEnabled": false, "reminderFrequency": "DAILY", )"
    R"("theme": "system"})";
constexpr std::string_view medical_profile_default = R"({"preferredUnit": "MGDL"})";
constexpr std::string_view table_mark = "users, mirrored from Clerk; made by rollcall";

Error bad(std::string message) {
    return {ErrorCode::bad_configuration, std::move(message)};
}

// The camel case columns of the reference schema have no time zone.
bool camel_case(std::string_view name) {
    return std::ranges::any_of(name, is_upper);
}

std::string named(const UsersTableFacts& facts, std::string_view constraint) {
    if (facts.names_taken) return "";
    return "CONSTRAINT " + quote_identifier(constraint) + " ";
}

std::vector<std::string> column_definitions(const UsersTableFacts& facts, const ColumnMap& columns,
                                            const std::string& role_type) {
    std::vector<std::string> out;
    const auto add = [&](const std::string& name, std::string_view definition) {
        if (!name.empty()) out.push_back(quote_identifier(name) + " " + std::string(definition));
    };
    add(columns.id, "uuid NOT NULL DEFAULT gen_random_uuid()");
    add(columns.clerk_id, "text NULL");
    add(columns.email, "text NULL");
    add(columns.name, "text NULL");
    add(columns.role,
        role_type + " NOT NULL DEFAULT " + quote_literal(columns.default_role) + "::" + role_type);
    const std::size_t times = std::max(columns.created_at.size(), columns.updated_at.size());
    for (std::size_t i = 0; i < times; ++i) {
        if (i < columns.created_at.size()) {
            add(columns.created_at[i],
                camel_case(columns.created_at[i])
                    ? "timestamp without time zone NOT NULL DEFAULT CURRENT_TIMESTAMP"
                    : "timestamp with time zone NULL DEFAULT now()");
        }
        if (i < columns.updated_at.size()) {
            add(columns.updated_at[i], camel_case(columns.updated_at[i])
                                           ? "timestamp without time zone NOT NULL"
                                           : "timestamp with time zone NULL DEFAULT now()");
        }
    }
    add("preferences", "jsonb DEFAULT " + quote_literal(preferences_default) + "::jsonb");
    add("medical_profile", "jsonb DEFAULT " + quote_literal(medical_profile_default) + "::jsonb");
    add(columns.deleted_at, "timestamp with time zone");
    out.push_back(named(facts, "User_pkey") + "PRIMARY KEY (" + quote_identifier(columns.id) + ")");
    out.push_back(named(facts, "User_clerkId_key") + "UNIQUE (" +
                  quote_identifier(columns.clerk_id) + ")");
    if (!columns.email.empty()) {
        out.push_back(named(facts, "User_email_key") + "UNIQUE (" +
                      quote_identifier(columns.email) + ")");
    }
    return out;
}

Result<void> add_creation(std::vector<Step>& steps, const UsersTableFacts& facts,
                          const ColumnMap& columns) {
    const auto table = parse_table_name(columns.table);
    if (!facts.schema_exists) {
        steps.push_back({"create schema " + table->schema,
                         "CREATE SCHEMA " + quote_identifier(table->schema) + ";"});
    }
    const std::string role_type = quote_identifier(table->schema) + ".\"UserRole\"";
    if (!columns.role.empty() && !facts.enum_exists) {
        std::string labels;
        for (const std::string& role : columns.roles) {
            labels += (labels.empty() ? "" : ", ") + quote_literal(role);
        }
        steps.push_back({"create type " + table->schema + ".UserRole",
                         "CREATE TYPE " + role_type + " AS ENUM (" + labels + ");"});
    } else if (!columns.role.empty()) {
        for (const std::string& role : columns.roles) {
            if (std::ranges::find(facts.enum_labels, role) == facts.enum_labels.end()) {
                return std::unexpected(bad(
                    fmt::format("role \"{}\" is not a value of the existing type {}: ALTER TYPE … "
                                "ADD VALUE, or take it out of the roles",
                                role, role_type)));
            }
        }
    }
    std::string sql = "CREATE TABLE " + quote(*table) + " (";
    std::string_view separator = "\n    ";
    for (const std::string& line : column_definitions(facts, columns, role_type)) {
        sql += std::string(separator) + line;
        separator = ",\n    ";
    }
    sql += "\n);\nCREATE INDEX IF NOT EXISTS " +
           quote_identifier("idx_" + table->table + "_clerk_id") + " ON " + quote(*table) + " (" +
           quote_identifier(columns.clerk_id) + ");";
    sql += "\nCOMMENT ON TABLE " + quote(*table) + " IS " + quote_literal(table_mark) + ";";
    steps.push_back({"create table " + columns.table, std::move(sql)});
    return {};
}

Result<void> add_adoption(std::vector<Step>& steps, const UsersTableFacts& facts,
                          const ColumnMap& columns) {
    const std::string table = quote(*parse_table_name(columns.table));
    const Catalog& catalog = facts.catalog;
    if (columns.delete_mode == DeleteMode::soft && catalog.find(columns.deleted_at) == nullptr) {
        steps.push_back({"add column " + columns.deleted_at + " to " + columns.table,
                         "ALTER TABLE " + table + " ADD COLUMN " +
                             quote_identifier(columns.deleted_at) + " timestamp with time zone;"});
    }
    if (clerk_id_key(catalog, columns)) return {};
    if (facts.duplicate_ids > 0) {
        return std::unexpected(
            bad(std::to_string(facts.duplicate_ids) + " Clerk ids stand in more than one row of " +
                columns.table + ", column " + columns.clerk_id +
                ": one user is one row; merge or remove the extra rows, then run migrate again"));
    }
    const auto name = parse_table_name(columns.table);
    std::string sql = "CREATE UNIQUE INDEX " +
                      quote_identifier("rollcall_" + name->table + "_clerk_id_key") + " ON " +
                      table + " (" + quote_identifier(columns.clerk_id) + ")";
    if (facts.stray_ids > 0) sql += " WHERE " + stray_predicate(columns);
    steps.push_back(
        {"make column " + columns.clerk_id + " of " + columns.table + " unique", sql + ";"});
    return {};
}

}  // namespace

Result<UsersTablePlan> plan_of(const UsersTableFacts& facts, const ColumnMap& columns,
                               UsersTableOptions options) {
    if (auto good = check(columns); !good) return std::unexpected(good.error());
    UsersTablePlan plan;
    plan.notes = facts.lacking;
    const std::optional<Step> functions = caller_functions_step(facts, columns);
    if (!facts.catalog.exists) {
        if (auto good = add_creation(plan.steps, facts, columns); !good) {
            return std::unexpected(good.error());
        }
        if (functions) plan.steps.push_back(*functions);
        if (auto good = add_row_access(plan, facts, columns, options); !good) {
            return std::unexpected(good.error());
        }
        return plan;
    }
    const auto shape = shape_of(facts.catalog, columns, /*before_migrate=*/true);
    if (!shape) return std::unexpected(shape.error());
    plan.notes.insert(plan.notes.end(), shape->notes.begin(), shape->notes.end());
    if (auto good = add_adoption(plan.steps, facts, columns); !good) {
        return std::unexpected(good.error());
    }
    const auto adopted = static_cast<std::ptrdiff_t>(plan.steps.size());
    if (options.with_rls || keeps_row_access(facts)) {
        if (auto good = add_row_access(plan, facts, columns, options); !good) {
            return std::unexpected(good.error());
        }
    }
    if (!plan.steps.empty() && !facts.catalog.owned) {
        return std::unexpected(
            Error{ErrorCode::forbidden, "users table " + columns.table +
                                            ": belongs to another role; run migrate as its owner"});
    }
    // After what they read and before the policies, which call them.
    if (functions) plan.steps.insert(plan.steps.begin() + adopted, *functions);
    return plan;
}

std::string duplicates_sql(const ColumnMap& columns) {
    const std::string id = quote_identifier(columns.clerk_id);
    return "SELECT count(*) FILTER (WHERE id <> 'NULL') AS duplicates,\n"
           "    coalesce(sum(n - 1) FILTER (WHERE id = 'NULL'), 0)::bigint AS stray\n"
           "FROM (SELECT " +
           id + "::text AS id, count(*) AS n FROM " + quote(*parse_table_name(columns.table)) +
           "\n      WHERE " + id + " IS NOT NULL GROUP BY 1 HAVING count(*) > 1) d";
}

}  // namespace rollcall::directory
