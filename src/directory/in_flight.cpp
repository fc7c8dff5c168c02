#include "directory/in_flight.hpp"

#include "directory/sql.hpp"

namespace rollcall::directory {
namespace {

constexpr std::string_view none = "{}";

}  // namespace

Task<InFlight> InFlight::now(pg::Pool& pool) {
    const pg::Rows rows = co_await pool.execute(sql::in_flight, pg::Params().null());
    co_return InFlight(std::string(rows.text(0, 0)));
}

Task<bool> InFlight::any(pg::Pool& pool) {
    if (transactions_ == none) co_return false;
    const pg::Rows rows = co_await pool.execute(sql::in_flight, pg::Params().text(transactions_));
    transactions_ = rows.text(0, 0);
    co_return transactions_ != none;
}

}  // namespace rollcall::directory
