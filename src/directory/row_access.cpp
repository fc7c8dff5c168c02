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

// The row of the caller: (SELECT …) is evaluated once, not for every row, and the id has an index.
std::string own_row(const ColumnMap& columns) {
    return quote_identifier(columns.id) + " = (SELECT rollcall.user_id())";
}

// The comment on an own policy: what it was made from. So one that the settings, or this release,
// would make otherwise is found, and replaced.
constexpr std::string_view comment_prefix = "made by rollcall: ";

std::string policy_comment(const ColumnMap& columns) {
    return std::string(comment_prefix) + own_row(columns);
}

// An expression as written, and as the server shows it, in one form: without what the server adds
// or leaves out (white space, parentheses, quotes, casts to text, names of results).
std::string plain(std::string_view expression) {
    std::string out;
    for (const char c : expression) {
        if (std::string_view(" \n\t()\"").find(c) == std::string_view::npos) out += c;
    }
    for (const std::string_view added :
         {"::text", "::charactervarying", "ELSENULL::uuid", "AScase", "ASuser_id"}) {
        for (auto at = out.find(added); at != out.npos; at = out.find(added, at)) {
            out.erase(at, added.size());
        }
    }
    return out;
}

// Whether an own policy is still what its comment says. Of one whose comment does not say what it
// was made from nobody knows.
bool is_edited(const OwnPolicy& policy, std::string_view command) {
    if (!policy.made_from.starts_with(comment_prefix)) return false;
    const std::string made =
        plain(std::string_view(policy.made_from).substr(comment_prefix.size()));
    const bool updates = command == "UPDATE";
    return plain(policy.qual) != made || plain(policy.check) != (updates ? made : "") ||
           policy.command != (updates ? "w" : "r") || !policy.for_authenticated;
}

// Those of the two that have to be made, or made anew. Somebody's own edits stay unless asked.
std::vector<std::pair<std::string_view, std::string_view>> policies_to_make(
    UsersTablePlan& plan, const UsersTableFacts& facts, const ColumnMap& columns,
    UsersTableOptions options) {
    std::vector<std::pair<std::string_view, std::string_view>> out;
    for (const auto& policy : policies) {
        const auto found = facts.own_policies.find(policy.first);
        const bool missing = found == facts.own_policies.end();
        if (!missing && !options.with_rls && is_edited(found->second, policy.second)) {
            plan.notes.push_back(
                fmt::format("policy {} on {} was changed since rollcall made it, and stays as it "
                            "is; to have rollcall's again: rollcall migrate --with-rls",
                            policy.first, columns.table));
        } else if (missing || found->second.made_from != policy_comment(columns) ||
                   is_edited(found->second, policy.second)) {
            out.push_back(policy);
        }
    }
    return out;
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

UsersTablePlan::Step policies_step(
    const std::vector<std::pair<std::string_view, std::string_view>>& to_make,
    const std::string& table, const ColumnMap& columns) {
    UsersTablePlan::Step step{to_make.size() == 1 ? "policy " : "policies ", ""};
    for (const auto& [policy, command] : to_make) {
        step.what += std::string(step.sql.empty() ? "" : " and ") + std::string(policy);
        const std::string on = std::string(policy) + " ON " + table;
        step.sql += fmt::format(
            "DROP POLICY IF EXISTS {0};\n"
            "CREATE POLICY {0} FOR {1} TO authenticated\n    USING ({2}){3};\n"
            "COMMENT ON POLICY {0} IS {4};\n",
            on, command, own_row(columns),
            command == "UPDATE" ? fmt::format("\n    WITH CHECK ({})", own_row(columns)) : "",
            quote_literal(policy_comment(columns)));
    }
    step.what += " on " + columns.table;
    return step;
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
                            const ColumnMap& columns, UsersTableOptions options) {
    const auto writable = writable_columns(facts, columns);
    if (!writable) return std::unexpected(writable.error());
    const auto name = parse_table_name(columns.table);
    const std::string table = quote(*name);
    note_open_policies(plan, facts, table);
    if (!facts.catalog.row_security) {
        plan.steps.push_back({"row level security on " + columns.table,
                              "ALTER TABLE " + table + " ENABLE ROW LEVEL SECURITY;"});
    }
    if (!facts.roles_exist) {
        plan.notes.push_back("no policy on " + columns.table +
                             ": they need roles authenticated and anon, see above; only the owner "
                             "sees its rows until migrate has run again");
        return {};
    }
    const auto to_make = policies_to_make(plan, facts, columns, options);
    if (!to_make.empty()) plan.steps.push_back(policies_step(to_make, table, columns));
    if (!has_privileges(facts, *writable)) {
        plan.steps.push_back({"privileges of authenticated and anon on " + columns.table,
                              privileges_sql(*name, *writable, facts.service_role_exists)});
    }
    return {};
}

}  // namespace rollcall::directory
