#include "directory/table_shape.hpp"

#include "base/ascii.hpp"
#include "base/nearest.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::directory {
namespace {

constexpr std::string_view uuid_type = "pg_catalog.uuid";
constexpr std::string_view timestamptz_type = "pg_catalog.timestamptz";
constexpr std::string_view timestamp_type = "pg_catalog.\"timestamp\"";
constexpr std::string_view text_type = "pg_catalog.text";

Error bad(std::string message) {
    return {ErrorCode::bad_configuration, std::move(message)};
}

// What migrate would make is not there.
Error unmigrated(std::string message) {
    return {ErrorCode::not_found, std::move(message)};
}

bool ends_with_citext(std::string_view type) {
    return type.ends_with(".citext");
}

ShapeColumn shaped(const CatalogColumn& column) {
    return {.name = quote_identifier(column.name),
            .type = column.type,
            .collation = column.collation,
            .folds_case = ends_with_citext(column.base_type)};
}

// Of the columns that the settings do not name, the one that was probably meant: by its name, the
// role's by its values too.
std::optional<std::string> likely_column(const Catalog& catalog, const ColumnMap& columns,
                                         const std::string& name, std::string_view use) {
    const std::vector<std::string_view> known = mirrored_columns(columns);
    std::vector<std::string> candidates;
    for (const CatalogColumn& column : catalog.columns) {
        if (std::ranges::find(known, column.name) != known.end()) continue;
        if (use == "role" && is_role_enum(column, columns)) return column.name;
        if (use == "id" ? column.base_type == uuid_type : column.text) {
            candidates.push_back(column.name);
        }
    }
    auto found = nearest(name, candidates);
    return found ? found : nearest(use, candidates);
}

// A column that the settings name and the table does not have. `use` is the setting: role for
// users.role_column.
Error missing_column(const Catalog& catalog, const ColumnMap& columns, const std::string& name,
                     std::string_view use) {
    const auto likely = likely_column(catalog, columns, name, use);
    const bool needed = use == "id" || use == "clerk_id";
    return bad("table " + columns.table + " has no column " + name + ": " +
               (likely ? "is it " + *likely + "? " : "") + "Set users." + std::string(use) +
               "_column to the right one" + (needed ? "" : ", or to \"\" to do without") +
               ", or add the column");
}

// The column of that name, which rollcall writes; nothing where it is not mirrored.
Result<std::optional<ShapeColumn>> text_column(const Catalog& catalog, const ColumnMap& columns,
                                               const std::string& name, std::string_view use) {
    if (name.empty()) return std::optional<ShapeColumn>();
    const CatalogColumn* column = catalog.find(name);
    if (column == nullptr) return std::unexpected(missing_column(catalog, columns, name, use));
    if (!column->text || column->generated) {
        return std::unexpected(bad("column " + name + " (" + std::string(use) + "): is " +
                                   (column->generated ? "generated" : column->type) +
                                   ", rollcall writes text"));
    }
    return shaped(*column);
}

Result<ShapeColumn> time_column(const CatalogColumn& column) {
    if (column.generated ||
        (column.base_type != timestamptz_type && column.base_type != timestamp_type)) {
        return std::unexpected(bad("column " + column.name + ": is " +
                                   (column.generated ? "generated" : column.type) +
                                   ", rollcall writes timestamps; leave it out of the settings"));
    }
    ShapeColumn out = shaped(column);
    if (column.base_type == timestamp_type) out.utc = true;
    return out;
}

Result<std::vector<ShapeColumn>> time_columns(const Catalog& catalog,
                                              const std::vector<std::string>& names) {
    std::vector<ShapeColumn> out;
    for (const std::string& name : names) {
        const CatalogColumn* column = catalog.find(name);
        if (column == nullptr) continue;
        auto time = time_column(*column);
        if (!time) return std::unexpected(time.error());
        out.push_back(std::move(*time));
    }
    return out;
}

Result<std::optional<ShapeColumn>> role_column(const Catalog& catalog, const ColumnMap& columns) {
    const CatalogColumn* column = columns.role.empty() ? nullptr : catalog.find(columns.role);
    if (column == nullptr || column->labels.empty()) {
        return text_column(catalog, columns, columns.role, "role");
    }
    for (const std::string& role : columns.roles) {
        if (std::ranges::find(column->labels, role) == column->labels.end()) {
            return std::unexpected(bad("role \"" + role + "\" is not a value of " + column->type +
                                       ", the type of column " + column->name +
                                       ": ALTER TYPE … ADD VALUE, or take it out of the roles"));
        }
    }
    return shaped(*column);
}

// lower(email), lower(email::text), lower((email)::text): as the catalog writes the key.
bool folds(std::string_view key, std::string_view quoted, std::string_view plain) {
    for (const std::string_view name : {quoted, plain}) {
        const std::string text(name);
        if (key == "lower(" + text + ")" || key == "lower(" + text + "::text)" ||
            key == "lower((" + text + ")::text)") {
            return true;
        }
    }
    return false;
}

EmailKey key_over_email(std::string_view key, const std::string& email) {
    const std::string quoted = quote_identifier(email);
    if (key == email || key == quoted) return EmailKey::exact;
    return folds(key, quoted, email) ? EmailKey::folded : EmailKey::none;
}

// Whether an index of that predicate holds every address that rollcall writes: those of users that
// are not deleted.
bool holds_all_addresses(std::string predicate, const ColumnMap& columns) {
    std::erase_if(predicate, [](char c) { return c == '(' || c == ')'; });
    std::string_view rest = predicate;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(" AND "), rest.size());
        const std::string_view term = rest.substr(0, end);
        if (term != quote_identifier(columns.email) + " IS NOT NULL" &&
            term != columns.email + " IS NOT NULL" &&
            term != quote_identifier(columns.deleted_at) + " IS NULL" &&
            term != columns.deleted_at + " IS NULL") {
            return false;
        }
        rest.remove_prefix(std::min(end + 5, rest.size()));
    }
    return true;
}

EmailKey email_key(const Catalog& catalog, const ColumnMap& columns) {
    EmailKey found = EmailKey::none;
    for (const CatalogIndex& index : catalog.indexes) {
        if (!index.unique || index.keys.size() != 1) continue;
        if (!holds_all_addresses(index.predicate, columns)) continue;
        const EmailKey key = key_over_email(index.keys.front(), columns.email);
        if (key == EmailKey::exact) return key;
        if (key == EmailKey::folded) found = key;
    }
    return found;
}

// Of a table where nothing makes every address unique.
std::string shared_addresses(const Catalog& catalog, const std::string& email) {
    for (const CatalogIndex& index : catalog.indexes) {
        const bool over_email = std::ranges::any_of(index.keys, [&](const std::string& key) {
            return key_over_email(key, email) != EmailKey::none;
        });
        if (!index.unique || !over_email) continue;
        return "unique index " + index.name + " of column " + email +
               " is of some rows only, or of other columns too: two rows may hold the same "
               "address, and what the index refuses ends as FAILED";
    }
    return "column " + email + " has no unique index: two rows may hold the same address";
}

Result<void> check_relation(const Catalog& catalog, const ColumnMap& columns) {
    if (!catalog.exists) {
        return std::unexpected(
            unmigrated("table " + columns.table + " does not exist: run `rollcall migrate`"));
    }
    if (catalog.kind != 'r') {
        return std::unexpected(bad(columns.table + " is not an ordinary table"));
    }
    if (catalog.find(columns.id) == nullptr) {
        return std::unexpected(missing_column(catalog, columns, columns.id, "id"));
    }
    if (catalog.find(columns.clerk_id) == nullptr) {
        return std::unexpected(missing_column(catalog, columns, columns.clerk_id, "clerk_id"));
    }
    if (catalog.find(columns.id)->base_type != uuid_type) {
        return std::unexpected(bad("column " + columns.id + " of " + columns.table + " is " +
                                   catalog.find(columns.id)->type + ", the internal id is a uuid"));
    }
    if (!catalog.find(columns.clerk_id)->text) {
        return std::unexpected(bad("column " + columns.clerk_id + " of " + columns.table +
                                   " must be text to hold Clerk's ids"));
    }
    return {};
}

void add_notes(TableShape& shape, const Catalog& catalog, const ColumnMap& columns) {
    const std::vector<std::string_view> known = mirrored_columns(columns);
    for (const CatalogColumn& column : catalog.columns) {
        const bool ours = std::ranges::find(known, column.name) != known.end();
        if (!ours && column.not_null && !column.has_default && !column.generated) {
            shape.notes.push_back("column " + column.name +
                                  " is NOT NULL without a default: rollcall cannot insert rows "
                                  "unless a trigger fills it");
        }
        if (column.not_null && (column.name == columns.email || column.name == columns.name)) {
            shape.notes.push_back(
                "column " + column.name + " is NOT NULL: a user without one fails" +
                (column.name == columns.email ? ", and one who is deleted or has another keeps it"
                                              : "") +
                "; ALTER TABLE " + shape.table + " ALTER COLUMN " + quote_identifier(column.name) +
                " DROP NOT NULL");
        }
    }
    if (shape.email && shape.email_key == EmailKey::none) {
        shape.notes.push_back(shared_addresses(catalog, columns.email));
    }
}

}  // namespace

std::string ShapeColumn::cast(std::string_view expression) const {
    return std::string(expression) + "::" + type;
}

std::string ShapeColumn::value(std::string_view expression) const {
    std::string out = type == text_type ? std::string(expression) : cast(expression);
    if (!collation.empty()) out += " COLLATE " + collation;
    return out;
}

std::string ShapeColumn::time(std::string_view expression) const {
    if (!utc) return std::string(expression);
    return "(" + std::string(expression) + " AT TIME ZONE 'UTC')";
}

std::string stray_predicate(const ColumnMap& columns) {
    return quote_identifier(columns.clerk_id) + " <> 'NULL'";
}

bool is_role_enum(const CatalogColumn& column, const ColumnMap& columns) {
    return !column.labels.empty() && std::ranges::all_of(columns.roles, [&](const auto& role) {
        return std::ranges::find(column.labels, role) != column.labels.end();
    });
}

std::optional<std::string> clerk_id_key(const Catalog& catalog, const ColumnMap& columns) {
    std::optional<std::string> found;
    for (const CatalogIndex& index : catalog.indexes) {
        if (!index.unique || index.keys.size() != 1) continue;
        const std::string& key = index.keys.front();
        if (key != columns.clerk_id && key != quote_identifier(columns.clerk_id)) continue;
        if (index.predicate.empty()) return "";
        // Ours, as the catalog writes it: (clerk_id <> 'NULL'::text).
        if (index.predicate.find("<> 'NULL'") != std::string::npos &&
            index.predicate.find(" AND ") == std::string::npos) {
            found = stray_predicate(columns);
        }
    }
    return found;
}

Result<TableShape> shape_of(const Catalog& catalog, const ColumnMap& columns, bool before_migrate) {
    if (auto good = check(columns); !good) return std::unexpected(good.error());
    if (auto good = check_relation(catalog, columns); !good) return std::unexpected(good.error());
    TableShape shape;
    shape.table = quote(*parse_table_name(columns.table));
    shape.id = shaped(*catalog.find(columns.id));
    shape.clerk_id = shaped(*catalog.find(columns.clerk_id));

    auto email = text_column(catalog, columns, columns.email, "email");
    if (!email) return std::unexpected(email.error());
    shape.email = std::move(*email);
    auto name = text_column(catalog, columns, columns.name, "name");
    if (!name) return std::unexpected(name.error());
    shape.name = std::move(*name);
    auto role = role_column(catalog, columns);
    if (!role) return std::unexpected(role.error());
    shape.role = std::move(*role);
    auto created = time_columns(catalog, columns.created_at);
    if (!created) return std::unexpected(created.error());
    shape.created_at = std::move(*created);
    auto updated = time_columns(catalog, columns.updated_at);
    if (!updated) return std::unexpected(updated.error());
    shape.updated_at = std::move(*updated);

    if (columns.delete_mode == DeleteMode::soft) {
        const CatalogColumn* deleted = catalog.find(columns.deleted_at);
        if (deleted != nullptr) {
            auto time = time_column(*deleted);
            if (!time) return std::unexpected(time.error());
            shape.deleted_at = std::move(*time);
        } else if (!before_migrate) {
            return std::unexpected(unmigrated("table " + columns.table + " has no column " +
                                              columns.deleted_at + ": run `rollcall migrate`"));
        }
    }
    if (shape.email) shape.email_key = email_key(catalog, columns);
    if (auto key = clerk_id_key(catalog, columns)) {
        shape.clerk_id_predicate = std::move(*key);
    } else if (!before_migrate) {
        return std::unexpected(unmigrated("table " + columns.table + " has no unique index on " +
                                          columns.clerk_id + ": run `rollcall migrate`"));
    }
    add_notes(shape, catalog, columns);
    return shape;
}

TableShape created_shape(const ColumnMap& columns) {
    const auto text = [](const std::string& name) {
        return ShapeColumn{.name = quote_identifier(name),
                           .type = std::string(text_type),
                           .collation = "pg_catalog.\"default\""};
    };
    const auto times = [](const std::vector<std::string>& names) {
        std::vector<ShapeColumn> out;
        for (const std::string& name : names) {
            // The camel case columns have no time zone: reference of the adopted schema.
            const bool utc = std::ranges::any_of(name, is_upper);
            out.push_back({.name = quote_identifier(name),
                           .type = std::string(utc ? timestamp_type : timestamptz_type),
                           .utc = utc});
        }
        return out;
    };
    TableShape shape;
    const auto table = parse_table_name(columns.table);
    ensure(table.has_value(), "a checked column map");
    shape.table = quote(*table);
    shape.id = {.name = quote_identifier(columns.id), .type = std::string(uuid_type)};
    shape.clerk_id = text(columns.clerk_id);
    if (!columns.email.empty()) shape.email = text(columns.email);
    if (!columns.name.empty()) shape.name = text(columns.name);
    if (!columns.role.empty()) {
        shape.role = {.name = quote_identifier(columns.role),
                      .type = quote_identifier(table->schema) + ".\"UserRole\""};
    }
    shape.created_at = times(columns.created_at);
    shape.updated_at = times(columns.updated_at);
    if (columns.delete_mode == DeleteMode::soft) {
        shape.deleted_at = {.name = quote_identifier(columns.deleted_at),
                            .type = std::string(timestamptz_type)};
    }
    shape.email_key = shape.email ? EmailKey::exact : EmailKey::none;
    return shape;
}

}  // namespace rollcall::directory
