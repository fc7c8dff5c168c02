// What the server's catalogs say of one table: facts, no judgement (table_shape.hpp has that).
#pragma once

#include "base/task.hpp"
#include "directory/column_map.hpp"
#include "pg/pool.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rollcall::directory {

struct CatalogColumn {
    std::string name;
    std::string type;                 // as SQL writes it, without length: text, public."UserRole"
    std::string base_type;            // of a domain the type beneath it; else `type`
    bool text = false;                // text, varchar, citext and their like, and domains over them
    std::vector<std::string> labels;  // of an enum
    std::string collation;            // as SQL writes it; "" when the type has none
    bool not_null = false;
    bool has_default = false;  // or an identity
    bool generated = false;
};

struct CatalogIndex {
    std::string name;
    std::vector<std::string> keys;  // as SQL writes them: email, "createdAt", lower(email)
    bool unique = false;            // valid, and checked at once
    std::string predicate;          // "" when it covers all rows
};

// A privilege that somebody other than the owner has, on the table or on one of its columns.
struct Grant {
    std::string role;  // "public": everybody
    std::string privilege;
    std::string column;  // "" for the whole table

    friend auto operator<=>(const Grant&, const Grant&) = default;
};

struct Catalog {
    bool exists = false;
    char kind = ' ';     // pg_class.relkind
    bool owned = false;  // by a role that the session has
    bool row_security = false;
    std::vector<CatalogColumn> columns;
    std::vector<CatalogIndex> indexes;
    std::vector<std::string> policies;
    std::vector<Grant> grants;

    [[nodiscard]] const CatalogColumn* find(std::string_view column) const;
};

Task<Catalog> read_catalog(pg::Transaction& tx, const TableName& table);

}  // namespace rollcall::directory
