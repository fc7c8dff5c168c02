// One mirrored row, read by its Clerk id: for people who look (`rollcall dev`), not for decisions.
#pragma once

#include "base/task.hpp"
#include "directory/column_map.hpp"
#include "pg/pool.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace rollcall::directory {

// Personal data: never to be logged. A column that is not mirrored, or NULL, is "".
struct UserRow {
    std::string id;
    std::string email;
    std::string name;
    std::string role;
    bool deleted = false;
};

class RowView {
public:
    // The statement is made here, once, from the configured names.
    explicit RowView(const ColumnMap& columns);

    // Nothing when there is no such row.
    Task<std::optional<UserRow>> find(pg::Pool& pool, std::string_view clerk_id) const;

private:
    std::string text_;
};

}  // namespace rollcall::directory
