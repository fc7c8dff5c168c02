#include "directory/column_map.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace rollcall::directory {
namespace {

// PostgreSQL cuts longer names without a word.
constexpr std::size_t name_bytes_max = 63;

Error bad(std::string message) {
    return {ErrorCode::bad_configuration, std::move(message)};
}

std::string doubled(std::string_view text, char quote) {
    std::string out(1, quote);
    for (const char c : text) {
        if (c == quote) out += quote;
        out += c;
    }
    out += quote;
    return out;
}

// One name of `schema.table`, in double quotes or plain, taken from the front of `rest`.
std::optional<std::string> take_name(std::string_view& rest) {
    std::string name;
    if (rest.starts_with('"')) {
        std::size_t at = 1;
        for (; at < rest.size(); ++at) {
            if (rest[at] == '"') {
                if (at + 1 >= rest.size() || rest[at + 1] != '"') break;
                ++at;
            }
            name += rest[at];
        }
        if (at >= rest.size()) return std::nullopt;  // no closing quote
        rest.remove_prefix(at + 1);
    } else {
        const std::size_t end = std::min(rest.find('.'), rest.size());
        name = rest.substr(0, end);
        if (name.find('"') != std::string::npos) return std::nullopt;
        rest.remove_prefix(end);
    }
    if (name.empty() || name.size() > name_bytes_max || name.find('\0') != std::string::npos) {
        return std::nullopt;
    }
    return name;
}

Result<void> check_name(std::string_view name, std::string_view what) {
    if (name.size() > name_bytes_max || name.find('\0') != std::string_view::npos) {
        return std::unexpected(bad(std::string(what) + " column: a name has at most 63 bytes"));
    }
    return {};
}

}  // namespace

Result<TableName> parse_table_name(std::string_view text) {
    std::string_view rest = text;
    auto first = take_name(rest);
    if (first && rest.empty()) return TableName{"public", std::move(*first)};
    if (first && rest.starts_with('.')) {
        rest.remove_prefix(1);
        auto second = take_name(rest);
        if (second && rest.empty()) return TableName{std::move(*first), std::move(*second)};
    }
    return std::unexpected(
        bad("users table: \"" + std::string(text) + "\" is not a name such as public.users"));
}

Result<void> check(const ColumnMap& columns) {
    if (const auto table = parse_table_name(columns.table); !table) {
        return std::unexpected(table.error());
    }
    if (columns.id.empty()) return std::unexpected(bad("users: the id column has no name"));
    if (columns.clerk_id.empty()) {
        return std::unexpected(bad("users: the Clerk id column has no name"));
    }
    if (columns.delete_mode == DeleteMode::soft && columns.deleted_at.empty()) {
        return std::unexpected(bad(
            "users: soft deletion needs a deleted_at column; name one, or set delete = \"hard\""));
    }
    std::vector<std::pair<std::string_view, std::string_view>> uses{
        {columns.id, "id"},     {columns.clerk_id, "Clerk id"}, {columns.email, "e-mail"},
        {columns.name, "name"}, {columns.role, "role"},         {columns.deleted_at, "deleted_at"},
    };
    for (const auto& name : columns.created_at) uses.emplace_back(name, "created_at");
    for (const auto& name : columns.updated_at) uses.emplace_back(name, "updated_at");
    for (const auto& name : columns.writable) uses.emplace_back(name, "writable");
    std::set<std::string_view> seen;
    for (const auto& [name, what] : uses) {
        if (auto good = check_name(name, what); !good) return good;
        if (!name.empty() && !seen.insert(name).second) {
            return std::unexpected(
                bad("users: column \"" + std::string(name) + "\" is named for two things"));
        }
    }
    if (std::ranges::find(columns.roles, columns.default_role) == columns.roles.end()) {
        return std::unexpected(bad("users: the default role \"" + columns.default_role +
                                   "\" is not one of the roles"));
    }
    return {};
}

std::vector<std::string_view> mirrored_columns(const ColumnMap& columns) {
    std::vector<std::string_view> out{columns.id,   columns.clerk_id, columns.email,
                                      columns.name, columns.role,     columns.deleted_at};
    out.insert(out.end(), columns.created_at.begin(), columns.created_at.end());
    out.insert(out.end(), columns.updated_at.begin(), columns.updated_at.end());
    return out;
}

std::optional<DeleteMode> parse_delete_mode(std::string_view text) {
    if (text == "soft") return DeleteMode::soft;
    if (text == "hard") return DeleteMode::hard;
    return std::nullopt;
}

std::string_view role_of(const ColumnMap& columns, std::optional<std::string_view> claimed) {
    if (!claimed) return columns.default_role;
    const auto found = std::ranges::find(columns.roles, *claimed);
    return found == columns.roles.end() ? columns.default_role : *found;
}

std::string quote_identifier(std::string_view name) {
    return doubled(name, '"');
}

std::string quote_literal(std::string_view text) {
    std::string quoted = doubled(text, '\'');
    if (text.find('\\') == std::string_view::npos) return quoted;
    // Right whatever standard_conforming_strings says.
    std::string out = "E";
    for (const char c : quoted) {
        if (c == '\\') out += '\\';
        out += c;
    }
    return out;
}

std::string quote(const TableName& name) {
    return quote_identifier(name.schema) + "." + quote_identifier(name.table);
}

}  // namespace rollcall::directory
