#include "directory/row_access.hpp"

#include "directory/catalog.hpp"
#include "directory/table_shape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rollcall::directory {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 2> policies{
    {{"users_select_own", "SELECT"}, {"users_update_own", "UPDATE"}}};
// Of the columns that a created table has, those that are the application's.
constexpr std::array<std::string_view, 2> created_columns{"preferences", "medical_profile"};

bool has_policies(const UsersTableFacts& facts) {
    return std::ranges::all_of(
        policies, [&](const auto& policy) { return facts.own_policies.contains(policy.first); });
}

// Rows whose owner is the caller: by Clerk's subject, or by the internal id where a token carries
// that. Each (SELECT …) is evaluated once, not for every row, and both sides have an index.
std::string own_row(const ColumnMap& columns) {
    std::string own = "(" + quote_identifier(columns.clerk_id) +
                      " = (SELECT auth.jwt() ->> 'sub')\n        OR " +
                      quote_identifier(columns.id) +
                      " = (SELECT CASE WHEN auth.jwt() ->> 'sub' ~ "
                      "'^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'\n"
                      "                    THEN (auth.jwt() ->> 'sub')::uuid END))";
    if (columns.delete_mode == DeleteMode::hard || columns.deleted_at.empty()) return own;
    return own + "\n        AND " + quote_identifier(columns.deleted_at) + " IS NULL";
}

// The comment on an own policy: what it was made from. So one that the settings would make
// otherwise by now (another delete mode, another column) is found, and replaced.
std::string policy_comment(const ColumnMap& columns) {
    return "made by rollcall: " + own_row(columns);
}

bool has_present_policies(const UsersTableFacts& facts, const ColumnMap& columns) {
    return std::ranges::all_of(policies, [&](const auto& policy) {
        const auto found = facts.own_policies.find(policy.first);
        return found != facts.own_policies.end() && found->second == policy_comment(columns);
    });
}

// Those of the configured columns that there are. An enum of the roles is never one of them,
// whatever its column is called: who may write it chooses the own role.
Result<std::vector<std::string>> writable_columns(const UsersTableFacts& facts,
                                                  const ColumnMap& columns) {
    std::vector<std::string> out;
    for (const std::string& name : columns.writable) {
        const CatalogColumn* column = facts.catalog.find(name);
        if (column != nullptr && is_role_enum(*column, columns)) {
            return fail(ErrorCode::bad_configuration,
                        "users.writable_columns: " + name + " is of type " + column->type +
                            ", which has the roles as its values: users would choose their role");
        }
        const bool exists = facts.catalog.exists
                                ? column != nullptr
                                : std::ranges::find(created_columns, name) != created_columns.end();
        if (exists) out.push_back(name);
    }
    return out;
}

// Whether everybody has what they should: anon and the public nothing, a user the own row and the
// writable columns of it and no more, service_role at least all work with rows.
bool has_privileges(const UsersTableFacts& facts, const std::vector<std::string>& writable) {
    std::set<Grant> user;
    std::set<Grant> service;
    for (const Grant& grant : facts.catalog.grants) {
        if (grant.role == "public" || grant.role == "anon") return false;
        if (grant.role == "authenticated") user.insert(grant);
        if (grant.role == "service_role") service.insert(grant);
    }
    std::set<Grant> wanted{{"authenticated", "SELECT", ""}};
    for (const std::string& column : writable) wanted.insert({"authenticated", "UPDATE", column});
    const auto serves = [&](const char* privilege) {
        return service.contains({"service_role", privilege, ""});
    };
    return facts.schema_open && user == wanted &&
           (!facts.service_role_exists ||
            (serves("SELECT") && serves("INSERT") && serves("UPDATE") && serves("DELETE")));
}

std::string policies_sql(const std::string& table, const ColumnMap& columns) {
    std::string sql;
    for (const auto& [policy, command] : policies) {
        const std::string on = std::string(policy) + " ON " + table;
        sql += fmt::format(
            "DROP POLICY IF EXISTS {0};\n"
            "CREATE POLICY {0} FOR {1} TO authenticated\n    USING ({2}){3};\n"
            "COMMENT ON POLICY {0} IS {4};\n",
            on, command, own_row(columns),
            command == "UPDATE" ? fmt::format("\n    WITH CHECK ({})", own_row(columns)) : "",
            quote_literal(policy_comment(columns)));
    }
    return sql;
}

// From nothing: revoking from the table revokes from its columns too.
std::string privileges_sql(const TableName& name, const std::vector<std::string>& writable,
                           bool service_role_exists) {
    const std::string table = quote(name);
    const std::string usage = "GRANT USAGE ON SCHEMA " + quote_identifier(name.schema) + " TO ";
    std::string list;
    for (const std::string& column : writable) {
        list += (list.empty() ? "" : ", ") + quote_identifier(column);
    }
    std::string sql = "REVOKE ALL ON TABLE " + table + " FROM PUBLIC, anon, authenticated;\n" +
                      usage + "authenticated;\nGRANT SELECT ON TABLE " + table +
                      " TO authenticated;\n";
    if (!list.empty()) {
        sql += "GRANT UPDATE (" + list + ") ON TABLE " + table + " TO authenticated;\n";
    }
    if (service_role_exists) {
        sql += usage + "service_role;\nGRANT ALL ON TABLE " + table + " TO service_role;\n";
    }
    return sql;
}

// Policies are added up, so one of somebody else's may open what rollcall's own keep closed. It is
// not ours to drop. One of the name of an own policy is replaced by it.
void note_open_policies(UsersTablePlan& plan, const UsersTableFacts& facts,
                        const std::string& table) {
    for (const std::string& name : facts.open_policies) {
        const auto replaced = [&](const auto& own) { return own.first == name; };
        if (std::ranges::any_of(policies, replaced)) continue;
        plan.notes.push_back(fmt::format(
            "policy {0} on {1} is not rollcall's, and permissive: users see or change every row "
            "that it allows, beside their own; if they should not: DROP POLICY {0} ON {1}, or make "
            "it AS RESTRICTIVE",
            quote_identifier(name), table));
    }
}

}  // namespace

bool keeps_row_access(const UsersTableFacts& facts) {
    if (has_policies(facts)) return true;
    return facts.made_by_rollcall && facts.catalog.row_security && facts.catalog.policies.empty();
}

Result<void> add_row_access(UsersTablePlan& plan, const UsersTableFacts& facts,
                            const ColumnMap& columns) {
    const auto writable = writable_columns(facts, columns);
    if (!writable) return std::unexpected(writable.error());
    const auto name = parse_table_name(columns.table);
    const std::string table = quote(*name);
    note_open_policies(plan, facts, table);
    if (!facts.catalog.row_security) {
        plan.steps.push_back({"row level security on " + columns.table,
                              "ALTER TABLE " + table + " ENABLE ROW LEVEL SECURITY;"});
    }
    if (!facts.roles_exist || !facts.claims_exist) {
        plan.notes.push_back("no policy on " + columns.table +
                             ": they need role authenticated and auth.jwt(), see above; only the "
                             "owner sees its rows until migrate has run again");
        return {};
    }
    if (!has_present_policies(facts, columns)) {
        plan.steps.push_back({"policies users_select_own and users_update_own on " + columns.table,
                              policies_sql(table, columns)});
    }
    if (!has_privileges(facts, *writable)) {
        plan.steps.push_back({"privileges of authenticated and anon on " + columns.table,
                              privileges_sql(*name, *writable, facts.service_role_exists)});
    }
    return {};
}

}  // namespace rollcall::directory
