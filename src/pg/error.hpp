// What the server said no to. `Unavailable` (base/result.hpp) is for a database that is away, too
// slow, read-only, full or shutting down (classes 08, 25006, 53, 57P, 58, and limits of time);
// SqlError is every other refusal, with its SQLSTATE (PostgreSQL manual, appendix A).
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace rollcall::pg {

class SqlError : public std::runtime_error {
public:
    SqlError(const std::string& message, std::string sqlstate, std::string constraint,
             bool by_application = false)
        : std::runtime_error(message),
          sqlstate_(std::move(sqlstate)),
          constraint_(std::move(constraint)),
          by_application_(by_application) {}

    [[nodiscard]] std::string_view sqlstate() const { return sqlstate_; }
    [[nodiscard]] std::string_view constraint() const { return constraint_; }  // "" when none
    // A trigger, function or policy of the application said so.
    [[nodiscard]] bool by_application() const { return by_application_; }

    [[nodiscard]] bool unique_violation() const { return sqlstate_ == "23505"; }
    // Serialization failure or deadlock: the same transaction may succeed at once.
    [[nodiscard]] bool transient() const { return sqlstate_ == "40001" || sqlstate_ == "40P01"; }
    // A value that can never be stored (class 22) or a broken constraint (class 23).
    [[nodiscard]] bool data_error() const {
        return sqlstate_.starts_with("22") || sqlstate_.starts_with("23");
    }
    // A table, column, function, right or lock is not to be had (classes 3F and 42, 55P03), which
    // any other row would meet too: unless a trigger, function or policy of the application said
    // so, since that may mean this row alone.
    [[nodiscard]] bool whatever_the_row() const {
        return !by_application_ &&
               (sqlstate_.starts_with("3F") || sqlstate_.starts_with("42") || sqlstate_ == "55P03");
    }

private:
    std::string sqlstate_;
    std::string constraint_;
    bool by_application_;
};

// For a refusal that the caller cannot do anything about after all.
[[noreturn]] void rethrow(const SqlError& error);

}  // namespace rollcall::pg
