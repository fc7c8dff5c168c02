// Which table mirrors the users, and which of its columns holds what: section [users] of
// rollcall.toml. Columns that are not named here belong to the application and are never touched.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::directory {

enum class DeleteMode : std::uint8_t {
    soft,  // deleted_at is set and the e-mail let go; id, Clerk id, name and role stay
    hard,  // the row is deleted; only the ledger remembers
};

// Names are as PostgreSQL stores them, without quotes. An empty name: not mirrored. Of the lists,
// the columns that exist are used.
struct ColumnMap {
    std::string table = "public.users";  // schema.table; a name with a dot in it in double quotes
    std::string id = "id";               // uuid, the internal id
    std::string clerk_id = "clerk_id";
    std::string email = "email";
    std::string name = "name";
    std::string role = "role";
    std::vector<std::string> created_at{"createdAt", "created_at"};  // the row's birth
    std::vector<std::string> updated_at{"updatedAt", "updated_at"};  // the row's last change
    std::string deleted_at = "deleted_at";                           // of soft deletion
    // The application's columns that a user may change in the own row, by row level security.
    std::vector<std::string> writable{"preferences", "medical_profile"};

    std::vector<std::string> roles{"user", "admin"};  // what public_metadata.role may choose
    std::string default_role = "user";                // for everybody else
    DeleteMode delete_mode = DeleteMode::soft;
};

struct TableName {
    std::string schema;
    std::string table;
};

// `users` is public.users. bad_configuration for what is no name.
[[nodiscard]] Result<TableName> parse_table_name(std::string_view text);

// Contradictions within the map: a required name is empty, a column has two uses, the default role
// is not one of the roles, soft deletion without a column for it.
[[nodiscard]] Result<void> check(const ColumnMap& columns);

// Every column that rollcall reads or writes; the empty names of those not mirrored among them.
[[nodiscard]] std::vector<std::string_view> mirrored_columns(const ColumnMap& columns);

// "soft" or "hard".
[[nodiscard]] std::optional<DeleteMode> parse_delete_mode(std::string_view text);

// `claimed` if it is one of the configured roles, else the default.
[[nodiscard]] std::string_view role_of(const ColumnMap& columns,
                                       std::optional<std::string_view> claimed);

// As SQL writes them, whatever the characters.
[[nodiscard]] std::string quote_identifier(std::string_view name);
[[nodiscard]] std::string quote_literal(std::string_view text);
[[nodiscard]] std::string quote(const TableName& name);

}  // namespace rollcall::directory
