// Why an exchange with the server did not end well, as a value. Inside pg/ nothing is thrown: the
// public functions turn a Failure into SqlError or Unavailable as their last act. Messages hold
// what the schema and the statement are called, never a value: not DETAIL, and not those primary
// messages that quote what was given.
#pragma once

#include "pg/error.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

struct pg_result;

namespace rollcall::pg {

struct Failure {
    enum class Kind : std::uint8_t {
        refused,      // the server said no: SqlError
        unavailable,  // away, too slow, read-only, full or shutting down: Unavailable
    };

    Kind kind = Kind::unavailable;
    std::string message{};
    std::string sqlstate{};
    std::string constraint{};
    bool by_application = false;    // its trigger, function or policy refused
    bool connection_spent = false;  // open another one
    // The prepared statement is gone from the server or outdated. Nothing of the pipeline happened.
    bool plan_stale = false;
    int position = 0;  // in characters of the statement, from 1; 0 when the server names none
};

template <class T>
using Outcome = std::expected<T, Failure>;

// The server's error; `statement` goes into the message.
[[nodiscard]] Failure refusal(const pg_result* result, std::string_view statement);
// Trouble on the way to the server or back. The connection is spent.
[[nodiscard]] Failure unavailable(std::string message, std::string_view sqlstate = "08006");

[[nodiscard]] SqlError to_sql_error(const Failure& failure);
[[noreturn]] void raise(const Failure& failure);

template <class T>
T or_throw(Outcome<T> outcome) {
    if (!outcome) raise(outcome.error());
    if constexpr (!std::is_void_v<T>) return std::move(*outcome);
}

template <class T>
std::expected<T, SqlError> or_refusal(Outcome<T> outcome) {
    if (!outcome) {
        if (outcome.error().kind != Failure::Kind::refused) raise(outcome.error());
        return std::unexpected(to_sql_error(outcome.error()));
    }
    if constexpr (std::is_void_v<T>) {
        return {};
    } else {
        return std::move(*outcome);
    }
}

// One line of what libpq says about itself, which may be several.
[[nodiscard]] std::string flatten(std::string_view libpq_message);

}  // namespace rollcall::pg
