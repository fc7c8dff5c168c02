// A time as the statements of alerts.sql and watch.sql return it: milliseconds since 1970, or NULL.
#pragma once

#include "base/clock.hpp"
#include "pg/rows.hpp"

#include <chrono>
#include <optional>
#include <string_view>

namespace rollcall::alerts {

[[nodiscard]] inline std::optional<SystemTime> time_at(const pg::Rows& rows, int row,
                                                       std::string_view name) {
    const int column = rows.column(name);
    if (rows.is_null(row, column)) return std::nullopt;
    return SystemTime(std::chrono::milliseconds(rows.bigint(row, column)));
}

}  // namespace rollcall::alerts
