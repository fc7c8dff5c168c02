// How rollcall uses the users table as it is: which of the configured columns there are, what their
// types ask for, and which indexes it can lean on. Pure.
#pragma once

#include "base/result.hpp"
#include "directory/catalog.hpp"
#include "directory/column_map.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::directory {

struct ShapeColumn {
    std::string name;         // quoted
    std::string type;         // to cast to
    std::string collation;    // "" when the type has none
    bool folds_case = false;  // citext
    bool utc = false;         // a timestamp without time zone

    // `expression` as a value of this column's type; its length is left to the assignment, which
    // refuses what is too long where a cast would cut it.
    [[nodiscard]] std::string cast(std::string_view expression) const;
    // The same for a comparison that this column's index can answer.
    [[nodiscard]] std::string value(std::string_view expression) const;
    // A timestamptz expression as this column holds times: without time zone it is UTC.
    [[nodiscard]] std::string time(std::string_view expression) const;
};

// What makes an e-mail unique in this table.
enum class EmailKey : std::uint8_t {
    none,    // nothing: two rows may have the same
    exact,   // a unique index on the column
    folded,  // a unique index on lower(column)
};

struct TableShape {
    std::string table;  // quoted, with its schema
    ShapeColumn id;
    ShapeColumn clerk_id;
    std::optional<ShapeColumn> email;
    std::optional<ShapeColumn> name;
    std::optional<ShapeColumn> role;
    std::vector<ShapeColumn> created_at;
    std::vector<ShapeColumn> updated_at;
    std::optional<ShapeColumn> deleted_at;  // of soft deletion only
    EmailKey email_key = EmailKey::none;
    std::string clerk_id_predicate;  // of the unique index on the Clerk id; "" when it has none

    std::vector<std::string> notes;  // what may go wrong with single rows, for a person
};

// The predicate of the unique index that `migrate` makes where rows share the stray text 'NULL'.
[[nodiscard]] std::string stray_predicate(const ColumnMap& columns);

// Whether the values of `column` are those of an enum that has all configured roles.
[[nodiscard]] bool is_role_enum(const CatalogColumn& column, const ColumnMap& columns);

// Whether an index of `catalog` makes the Clerk id unique; its predicate.
[[nodiscard]] std::optional<std::string> clerk_id_key(const Catalog& catalog,
                                                      const ColumnMap& columns);

// `bad_configuration` when the table cannot be used as the settings say: names the column, what was
// probably meant, and what to do. `not_found` when it lacks what `rollcall migrate` makes; with
// `before_migrate` that may be missing.
[[nodiscard]] Result<TableShape> shape_of(const Catalog& catalog, const ColumnMap& columns,
                                          bool before_migrate = false);

// The shape of the table that `migrate` creates: for `config print` without a database.
[[nodiscard]] TableShape created_shape(const ColumnMap& columns);

}  // namespace rollcall::directory
