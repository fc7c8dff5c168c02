// The rows that one statement returned. Owns them; views it hands out live as long as it does.
// Values come in text format. Asking for a column that does not exist, or converting a value that
// is not of the type, is a bug (ensure).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct pg_result;

namespace rollcall::pg {

class Rows {
public:
    Rows() = default;
    explicit Rows(pg_result* owned);

    [[nodiscard]] int size() const;
    [[nodiscard]] bool empty() const { return size() == 0; }
    // Rows inserted, updated or deleted by the statement.
    [[nodiscard]] std::int64_t affected() const;

    [[nodiscard]] int columns() const;
    [[nodiscard]] std::string_view column_name(int column) const;
    [[nodiscard]] int column(std::string_view name) const;

    [[nodiscard]] bool is_null(int row, int column) const;
    [[nodiscard]] std::string_view text(int row, int column) const;  // "" for NULL
    [[nodiscard]] std::vector<std::string> texts(int column) const;  // of all rows
    [[nodiscard]] std::optional<std::string_view> maybe(int row, int column) const;
    [[nodiscard]] std::int64_t bigint(int row, int column) const;
    [[nodiscard]] double number(int row, int column) const;
    [[nodiscard]] bool boolean(int row, int column) const;

private:
    struct Clear {
        void operator()(pg_result* result) const;
    };
    std::unique_ptr<pg_result, Clear> result_;
};

}  // namespace rollcall::pg
