#include "directory/caller_functions.hpp"

#include <fmt/format.h>
#include <string>
#include <string_view>

namespace rollcall::directory {
namespace {

// With the rights of their owner they read what callers may not, so nothing in them is looked up
// among what callers can make: temporary tables and types come first where a path does not say
// otherwise.
constexpr std::string_view attributes =
    "STABLE SECURITY DEFINER\nSET search_path = pg_catalog, pg_temp";

// "u.clerk_id = subject", as the column's index answers it. The operator of citext is outside
// pg_catalog; without its name the comparison would be one of texts, which reads all rows.
std::string by_clerk_id(const UsersTableFacts& facts, const ColumnMap& columns) {
    constexpr std::string_view citext = ".citext";
    const std::string column = "u." + quote_identifier(columns.clerk_id);
    const CatalogColumn* there = facts.catalog.find(columns.clerk_id);
    if (there == nullptr || !there->base_type.ends_with(citext)) return column + " = subject";
    const std::string_view type = there->base_type;
    return fmt::format("{} OPERATOR({}.=) subject::{}", column,
                       type.substr(0, type.size() - citext.size()), type);
}

// That the row `u` is of somebody who may come in. The ledger knows more than the row: who is
// banned or locked, and a deletion that the row could not follow.
std::string in_good_standing(const ColumnMap& columns) {
    std::string out = fmt::format(
        "NOT EXISTS (\n"
        "            SELECT FROM rollcall.ledger l\n"
        "            WHERE l.clerk_id = u.{}::text COLLATE \"C\"\n"
        "              AND (l.banned OR l.locked OR l.deleted_at IS NOT NULL))",
        quote_identifier(columns.clerk_id));
    if (columns.delete_mode == DeleteMode::soft && !columns.deleted_at.empty()) {
        out += fmt::format("\n          AND u.{} IS NULL", quote_identifier(columns.deleted_at));
    }
    return out;
}

std::string user_id_body(const UsersTableFacts& facts, const ColumnMap& columns) {
    return fmt::format(
        R"(
#variable_conflict use_variable
DECLARE
    claims jsonb;
    subject text;
    known uuid;
BEGIN
    IF current_setting('role', true) = 'anon' THEN
        RETURN NULL;
    END IF;
    BEGIN
        claims := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
        RETURN NULL;
    END;
    IF jsonb_typeof(claims -> 'sub') IS DISTINCT FROM 'string' THEN
        RETURN NULL;
    END IF;
    subject := claims ->> 'sub';
    IF subject ~ '^[0-9a-fA-F]{{8}}(-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}$' THEN
        SELECT u.{0} INTO known FROM {1} u
        WHERE u.{0} = subject::uuid
          AND {2};
    ELSE
        SELECT u.{0} INTO known FROM {1} u
        WHERE {3}
          AND {2};
    END IF;
    RETURN known;
END
)",
        quote_identifier(columns.id), quote(*parse_table_name(columns.table)),
        in_good_standing(columns), by_clerk_id(facts, columns));
}

std::string clerk_id_body(const ColumnMap& columns) {
    return fmt::format("\n    SELECT u.{}::text FROM {} u WHERE u.{} = rollcall.user_id()\n",
                       quote_identifier(columns.clerk_id), quote(*parse_table_name(columns.table)),
                       quote_identifier(columns.id));
}

std::string dollar_quoted(std::string_view text) {
    std::string tag = "$rollcall$";
    while (text.find(tag) != text.npos) tag.insert(1, "_");
    return tag + std::string(text) + tag;
}

std::string definition(std::string_view name, std::string_view type, std::string_view language,
                       std::string_view body) {
    return fmt::format(
        "CREATE OR REPLACE FUNCTION rollcall.{0}()\n"
        "RETURNS {1} LANGUAGE {2} {3} AS {4};\n"
        "REVOKE ALL ON FUNCTION rollcall.{0}() FROM PUBLIC;\n",
        name, type, language, attributes, dollar_quoted(body));
}

std::string grants_to(std::string_view roles) {
    return fmt::format(
        "GRANT USAGE ON SCHEMA rollcall TO {0};\n"
        "GRANT EXECUTE ON FUNCTION rollcall.user_id(), rollcall.clerk_id() TO {0};\n",
        roles);
}

}  // namespace

std::optional<UsersTablePlan::Step> caller_functions_step(const UsersTableFacts& facts,
                                                          const ColumnMap& columns) {
    const std::string user_id = user_id_body(facts, columns);
    const std::string clerk_id = clerk_id_body(columns);
    const auto is_there = [&](std::string_view name, const std::string& body) {
        const auto found = facts.caller_functions.find(name);
        return found != facts.caller_functions.end() && found->second == body;
    };
    if (is_there("user_id", user_id) && is_there("clerk_id", clerk_id)) return std::nullopt;
    std::string sql = definition("user_id", "uuid", "plpgsql", user_id) +
                      definition("clerk_id", "text", "sql", clerk_id);
    if (facts.roles_exist) sql += grants_to("authenticated, anon");
    if (facts.service_role_exists) sql += grants_to("service_role");
    return UsersTablePlan::Step{
        "functions rollcall.user_id() and rollcall.clerk_id() over " + columns.table,
        std::move(sql)};
}

}  // namespace rollcall::directory
