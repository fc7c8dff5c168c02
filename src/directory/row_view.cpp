#include "directory/row_view.hpp"

#include <fmt/format.h>

namespace rollcall::directory {
namespace {

std::string as_text(const std::string& column) {
    return column.empty() ? "NULL::text" : quote_identifier(column) + "::text";
}

}  // namespace

RowView::RowView(const ColumnMap& columns) {
    const auto table = parse_table_name(columns.table);
    ensure(table.has_value(), "the configuration has checked the table's name");
    const bool soft = columns.delete_mode == DeleteMode::soft;
    text_ = fmt::format("SELECT {}, {}, {}, {}, {} FROM {} WHERE {} = $1", as_text(columns.id),
                        as_text(columns.email), as_text(columns.name), as_text(columns.role),
                        soft ? quote_identifier(columns.deleted_at) + " IS NOT NULL" : "false",
                        quote(*table), quote_identifier(columns.clerk_id));
}

Task<std::optional<UserRow>> RowView::find(pg::Pool& pool, std::string_view clerk_id) const {
    const pg::Statement statement{"directory_row_view", text_};
    const auto rows = co_await pool.execute(statement, pg::Params().text(clerk_id));
    if (rows.empty()) co_return std::nullopt;
    co_return UserRow{std::string(rows.text(0, 0)), std::string(rows.text(0, 1)),
                      std::string(rows.text(0, 2)), std::string(rows.text(0, 3)),
                      rows.boolean(0, 4)};
}

}  // namespace rollcall::directory
