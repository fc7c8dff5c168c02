#include "directory/catalog.hpp"

#include "directory/sql.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::directory {

const CatalogColumn* Catalog::find(std::string_view column) const {
    const auto found = std::ranges::find(columns, column, &CatalogColumn::name);
    return found == columns.end() ? nullptr : &*found;
}

Task<Catalog> read_catalog(pg::Transaction& tx, const TableName& table) {
    Catalog catalog;
    pg::Params name;
    name.text(table.schema).text(table.table);
    const pg::Rows relation = co_await tx.execute(sql::catalog_relation, name);
    if (relation.empty()) co_return catalog;
    catalog.exists = true;
    catalog.kind = relation.text(0, 0).front();
    catalog.owned = relation.boolean(0, 1);
    catalog.row_security = relation.boolean(0, 2);

    const pg::Rows columns = co_await tx.execute(sql::catalog_columns, name);
    for (int row = 0; row < columns.size(); ++row) {
        CatalogColumn column;
        column.name = columns.text(row, 0);
        column.type = columns.text(row, 1);
        column.base_type = columns.text(row, 2);
        column.text = columns.boolean(row, 3);
        column.collation = columns.text(row, 4);
        column.not_null = columns.boolean(row, 5);
        column.has_default = columns.boolean(row, 6);
        column.generated = columns.boolean(row, 7);
        catalog.columns.push_back(std::move(column));
    }
    const pg::Rows labels = co_await tx.execute(sql::catalog_labels, name);
    for (int row = 0; row < labels.size(); ++row) {
        const auto found =
            std::ranges::find(catalog.columns, labels.text(row, 0), &CatalogColumn::name);
        if (found != catalog.columns.end()) found->labels.emplace_back(labels.text(row, 1));
    }
    const pg::Rows keys = co_await tx.execute(sql::catalog_keys, name);
    for (int row = 0; row < keys.size(); ++row) {
        const std::string_view index = keys.text(row, 0);
        if (catalog.indexes.empty() || catalog.indexes.back().name != index) {
            catalog.indexes.push_back({.name = std::string(index),
                                       .keys = {},
                                       .unique = keys.boolean(row, 2),
                                       .predicate = std::string(keys.text(row, 3))});
        }
        catalog.indexes.back().keys.emplace_back(keys.text(row, 1));
    }
    const pg::Rows policies = co_await tx.execute(sql::catalog_policies, name);
    catalog.policies = policies.texts(0);
    const pg::Rows grants = co_await tx.execute(sql::catalog_grants, name);
    for (int row = 0; row < grants.size(); ++row) {
        catalog.grants.push_back({.role = std::string(grants.text(row, 0)),
                                  .privilege = std::string(grants.text(row, 1)),
                                  .column = std::string(grants.text(row, 2))});
    }
    co_return catalog;
}

}  // namespace rollcall::directory
