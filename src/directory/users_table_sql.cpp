#include "directory/users_table_sql.hpp"

#include "directory/table_shape.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace rollcall::directory {
namespace {

using Step = UsersTablePlan::Step;

// Defaults of the columns that the application may use beside ours.
constexpr std::string_view preferences_default =
    R"({"displayUnit": "A1C", "reminderEnabled": false, "reminderFrequency": "DAILY", )"
    R"("theme": "system"})";
constexpr std::string_view medical_profile_default = R"({"preferredUnit": "MGDL"})";
// Changes when the policies do, so that migrate replaces its own old ones.
constexpr std::string_view policy_mark = "made by rollcall, version 1";
constexpr std::string_view table_mark = "users, mirrored from Clerk; made by rollcall";

Error bad(std::string message) {
    return {ErrorCode::bad_configuration, std::move(message)};
}

// The camel case columns of the reference schema have no time zone.
bool camel_case(std::string_view name) {
    return std::ranges::any_of(name, [](char c) { return c >= 'A' && c <= 'Z'; });
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
                return std::unexpected(
                    bad("role \"" + role + "\" is not a value of the existing " + "type " +
                        role_type + ": ALTER TYPE … ADD VALUE, or take it out of the roles"));
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

// Rows whose owner is the caller: by Clerk's subject, or by the internal id where a token carries
// that. Each (SELECT …) is evaluated once, not for every row, and both sides have an index.
std::string own_row(const ColumnMap& columns) {
    const std::string own = "(" + quote_identifier(columns.clerk_id) +
                            " = (SELECT auth.jwt() ->> 'sub')\n        OR " +
                            quote_identifier(columns.id) +
                            " = (SELECT CASE WHEN auth.jwt() ->> 'sub' ~ "
                            "'^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'\n"
                            "                    THEN (auth.jwt() ->> 'sub')::uuid END))";
    if (columns.delete_mode == DeleteMode::hard || columns.deleted_at.empty()) return own;
    return own + "\n        AND " + quote_identifier(columns.deleted_at) + " IS NULL";
}

// What a user may change in the own row: nothing that Clerk or rollcall decides.
std::vector<std::string> application_columns(const UsersTableFacts& facts,
                                             const ColumnMap& columns) {
    if (!facts.catalog.exists) return {"preferences", "medical_profile"};
    std::vector<std::string> ours{columns.id,   columns.clerk_id, columns.email,
                                  columns.name, columns.role,     columns.deleted_at};
    ours.insert(ours.end(), columns.created_at.begin(), columns.created_at.end());
    ours.insert(ours.end(), columns.updated_at.begin(), columns.updated_at.end());
    std::vector<std::string> out;
    for (const CatalogColumn& column : facts.catalog.columns) {
        if (!column.generated && std::ranges::find(ours, column.name) == ours.end()) {
            out.push_back(column.name);
        }
    }
    return out;
}

void add_row_security(UsersTablePlan& plan, const UsersTableFacts& facts,
                      const ColumnMap& columns) {
    const auto name = parse_table_name(columns.table);
    const std::string table = quote(*name);
    if (!facts.catalog.row_security) {
        plan.steps.push_back({"row level security on " + columns.table,
                              "ALTER TABLE " + table + " ENABLE ROW LEVEL SECURITY;"});
    }
    if (!facts.roles_exist || !facts.claims_exist) {
        plan.notes.push_back("no policy on " + columns.table +
                             ": they need role authenticated and auth.jwt(), see above; only the "
                             "owner sees its rows until migrate has run again");
        return;
    }
    constexpr std::array<std::pair<std::string_view, std::string_view>, 2> policies{
        {{"users_select_own", "SELECT"}, {"users_update_own", "UPDATE"}}};
    const bool ours = std::ranges::all_of(policies, [&](const auto& policy) {
        return std::ranges::find(facts.own_policies, policy.first) != facts.own_policies.end();
    });
    if (ours) return;
    std::string sql;
    for (const auto& [policy, command] : policies) {
        const std::string on = std::string(policy) + " ON " + table;
        sql += "DROP POLICY IF EXISTS " + on + ";\nCREATE POLICY " + on + " FOR " +
               std::string(command) + " TO authenticated\n    USING (" + own_row(columns) + ")";
        if (command == "UPDATE") sql += "\n    WITH CHECK (" + own_row(columns) + ")";
        sql += ";\nCOMMENT ON POLICY " + on + " IS " + quote_literal(policy_mark) + ";\n";
    }
    plan.steps.push_back(
        {"policies users_select_own and users_update_own on " + columns.table, std::move(sql)});
    std::string free_columns;
    for (const std::string& column : application_columns(facts, columns)) {
        free_columns += (free_columns.empty() ? "" : ", ") + quote_identifier(column);
    }
    std::string grants = "REVOKE ALL ON TABLE " + table + " FROM PUBLIC, anon, authenticated;\n" +
                         "GRANT USAGE ON SCHEMA " + quote_identifier(name->schema) +
                         " TO authenticated;\nGRANT SELECT ON TABLE " + table +
                         " TO authenticated;\n";
    if (!free_columns.empty()) {
        grants += "GRANT UPDATE (" + free_columns + ") ON TABLE " + table + " TO authenticated;\n";
    }
    if (facts.service_role_exists) {
        grants += "GRANT USAGE ON SCHEMA " + quote_identifier(name->schema) +
                  " TO service_role;\nGRANT ALL ON TABLE " + table + " TO service_role;\n";
    }
    plan.steps.push_back(
        {"privileges of authenticated and anon on " + columns.table, std::move(grants)});
}

}  // namespace

Result<UsersTablePlan> plan_of(const UsersTableFacts& facts, const ColumnMap& columns,
                               UsersTableOptions options) {
    if (auto good = check(columns); !good) return std::unexpected(good.error());
    UsersTablePlan plan;
    if (!facts.catalog.exists) {
        if (auto good = add_creation(plan.steps, facts, columns); !good) {
            return std::unexpected(good.error());
        }
        add_row_security(plan, facts, columns);
        return plan;
    }
    const auto shape = shape_of(facts.catalog, columns, /*before_migrate=*/true);
    if (!shape) return std::unexpected(shape.error());
    plan.notes = shape->notes;
    if (auto good = add_adoption(plan.steps, facts, columns); !good) {
        return std::unexpected(good.error());
    }
    // A table of ours that could not get its policies yet gets them without being asked again.
    const bool unfinished =
        facts.catalog.row_security && facts.catalog.policies.empty() && facts.made_by_rollcall;
    if (options.with_rls || unfinished) add_row_security(plan, facts, columns);
    if (!plan.steps.empty() && !facts.catalog.owned) {
        return std::unexpected(
            Error{ErrorCode::forbidden, "users table " + columns.table +
                                            ": belongs to another role; run migrate as its owner"});
    }
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
