// Connections to one database, opened when needed, kept, and replaced when they break. Hands each
// to one coroutine at a time. No session state is left behind, so a transaction pooler between us
// and the server does no harm. All waits have limits: past them, or while the database is away, the
// call throws Unavailable; what the server refuses is thrown as SqlError.
#pragma once

#include "base/backoff.hpp"
#include "base/metrics.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "pg/error.hpp"
#include "pg/params.hpp"
#include "pg/rows.hpp"
#include "pg/statement.hpp"

#include <chrono>
#include <deque>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace rollcall::pg {

class Connection;

struct DatabaseConfig {
    Secret url;  // libpq URI or keyword string; sslmode and all else as libpq has
    std::string application_name = "rollcall";
    bool prepared_statements = true;  // false: for poolers that lose named statements
    std::chrono::milliseconds connect_timeout{5'000};
    std::chrono::milliseconds statement_timeout{30'000};  // per statement or pipeline, our side
    std::chrono::milliseconds acquire_timeout{5'000};
    Backoff reconnect{std::chrono::milliseconds(100), std::chrono::milliseconds(5'000)};
};

struct PoolMetrics;

// The state of one explicit transaction. Ends in `commit()`; anything else that ends the scope, an
// exception too, closes it by rollback before the connection is used again.
class Transaction {
public:
    Transaction(Transaction&&) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();

    Task<Rows> execute(const Statement& statement, const Params& params = {});
    Task<std::expected<Rows, SqlError>> try_execute(const Statement& statement,
                                                    const Params& params = {});
    Task<> commit();

private:
    friend class Pool;
    struct State;
    explicit Transaction(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

class Pool {
public:
    // `name` labels metrics; `connections_max` bounds the pool. The registry must outlive the pool.
    Pool(Executor executor, std::string name, int connections_max, DatabaseConfig config,
         MetricsRegistry& metrics);
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    // One statement, committed when this returns (an implicit transaction).
    Task<Rows> execute(const Statement& statement, const Params& params = {});
    // The same for callers whose next step depends on the refusal.
    Task<std::expected<Rows, SqlError>> try_execute(const Statement& statement,
                                                    const Params& params = {});

    // Several statements, sent at once and committed together or not at all.
    struct Step {
        const Statement* statement;
        Params params;
    };
    Task<std::vector<Rows>> execute_together(std::vector<Step> steps);

    Task<Transaction> begin();  // READ COMMITTED

    // Several statements of SQL text without parameters (migrations), in one implicit transaction.
    Task<> execute_script(std::string_view text);

    // Whether a connection worked within the last `age`; asks the server when none did.
    Task<bool> healthy(std::chrono::milliseconds age);

    // Waits for connections in use, closes all. Later calls throw Unavailable.
    Task<> stop();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace rollcall::pg
