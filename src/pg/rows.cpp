#include "pg/rows.hpp"

#include "base/result.hpp"

#include <libpq-fe.h>
#include <charconv>

namespace rollcall::pg {

namespace {

template <class Number>
Number convert(std::string_view text, std::string_view what) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    ensure(error == std::errc{} && end == text.data() + text.size(), what);
    return value;
}

}  // namespace

void Rows::Clear::operator()(pg_result* result) const {
    PQclear(result);
}

Rows::Rows(pg_result* owned) : result_(owned) {}

int Rows::size() const {
    return PQntuples(result_.get());
}

std::int64_t Rows::affected() const {
    if (!result_) return 0;
    const std::string_view text = PQcmdTuples(result_.get());
    return text.empty() ? 0 : convert<std::int64_t>(text, "row count of a statement");
}

int Rows::columns() const {
    return PQnfields(result_.get());
}

std::string_view Rows::column_name(int column) const {
    ensure(column >= 0 && column < columns(), "no such column");
    return PQfname(result_.get(), column);
}

// Not PQfnumber, which folds the name to lower case as SQL does.
int Rows::column(std::string_view name) const {
    for (int column = 0; column < columns(); ++column) {
        if (PQfname(result_.get(), column) == name) return column;
    }
    ensure(false, "no column of that name");
    return -1;
}

bool Rows::is_null(int row, int column) const {
    ensure(row >= 0 && row < size() && column >= 0 && column < columns(), "no such value");
    return PQgetisnull(result_.get(), row, column) != 0;
}

std::string_view Rows::text(int row, int column) const {
    ensure(row >= 0 && row < size() && column >= 0 && column < columns(), "no such value");
    return {PQgetvalue(result_.get(), row, column),
            static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::vector<std::string> Rows::texts(int column) const {
    std::vector<std::string> out;
    out.reserve(static_cast<std::size_t>(size()));
    for (int row = 0; row < size(); ++row) out.emplace_back(text(row, column));
    return out;
}

std::optional<std::string_view> Rows::maybe(int row, int column) const {
    if (is_null(row, column)) return std::nullopt;
    return text(row, column);
}

std::int64_t Rows::bigint(int row, int column) const {
    return convert<std::int64_t>(text(row, column), "a value that is no integer");
}

double Rows::number(int row, int column) const {
    return convert<double>(text(row, column), "a value that is no number");
}

bool Rows::boolean(int row, int column) const {
    const std::string_view value = text(row, column);
    ensure(value == "t" || value == "f", "a value that is no boolean");
    return value == "t";
}

}  // namespace rollcall::pg
