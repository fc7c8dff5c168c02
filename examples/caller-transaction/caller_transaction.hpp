// Transactions in which PostgreSQL knows who asks: the caller's role and claims hold from BEGIN to
// the end, so that row level security decides, as it does behind PostgREST. Whatever happens in
// one, its connection is given back without role, claim or setting, or is closed.
// Blocking, on libpq alone; Connections and what it hands out belong to one thread. Failures are
// thrown as DatabaseError; every wait for the server has a limit.
// Statements come from the application, never from the caller: like PostgREST's, a connection
// could RESET ROLE, and its own role may be more than the caller's.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

struct pg_conn;

namespace caller {

struct DatabaseError : std::runtime_error {
    DatabaseError(const std::string& message, std::string state)
        : std::runtime_error(message), sqlstate(std::move(state)) {}
    std::string sqlstate;  // "" when the server said none: it is away, or too slow
};

// Who asks, as somebody has verified before: Clerk's `sub`, or the internal id that rollcall's gate
// says in X-Rollcall-User-Id. Without either it is role anon, else authenticated.
struct Caller {
    std::string subject;
    // The token's whole payload, where policies ask for more than `sub`; it goes over `subject`.
    std::string claims;
};

struct Limits {
    std::chrono::milliseconds connect{5'000};
    std::chrono::milliseconds statement{8'000};  // the server ends it
    std::chrono::milliseconds grace{2'000};      // an answer that is later than that never comes
};

using Value = std::optional<std::string>;  // nothing: NULL
using Rows = std::vector<std::vector<Value>>;

struct CloseConnection {
    void operator()(pg_conn* connection) const;
};
using Connection = std::unique_ptr<pg_conn, CloseConnection>;

// Keeps up to `idle_max` open connections for the next transaction.
class Connections {
public:
    explicit Connections(std::string url, Limits limits = {}, std::size_t idle_max = 4);

    [[nodiscard]] std::size_t idle() const { return idle_.size(); }

private:
    friend class CallerTransaction;
    [[nodiscard]] Connection begun();          // with a transaction open
    void give_back(Connection used) noexcept;  // cleaned and kept, or closed

    std::string url_;
    Limits limits_;
    std::size_t idle_max_;
    std::vector<Connection> idle_;
};

class CallerTransaction {
public:
    // `connections` must outlive it.
    CallerTransaction(Connections& connections, const Caller& caller);
    ~CallerTransaction();  // rolls back what was not committed
    CallerTransaction(const CallerTransaction&) = delete;
    CallerTransaction& operator=(const CallerTransaction&) = delete;

    // One statement, with $1, $2 … for `values`. One that ends the transaction, or that fails, ends
    // its use, too: only rolling back is left.
    Rows execute(const std::string& statement, const std::vector<Value>& values = {});

    // After it nothing can be done. When it throws without an SQLSTATE nobody knows whether the
    // transaction was committed.
    void commit();

private:
    void open_as(const Caller& caller);

    Connections& connections_;
    Connection connection_;
};

}  // namespace caller
