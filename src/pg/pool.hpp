// Connections to one database, opened when needed, kept, and replaced when they break. Hands each
// to one coroutine at a time. No session state is left behind, so a transaction pooler between us
// and the server does no harm. All waits have limits: past them, or while the database is away, the
// call throws Unavailable; what the server refuses is thrown as SqlError.
#pragma once

#include "base/backoff.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "pg/error.hpp"
#include "pg/params.hpp"
#include "pg/rows.hpp"
#include "pg/statement.hpp"

#include <chrono>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::pg {

struct DatabaseConfig {
    Secret url;  // libpq URI or keyword string; sslmode and all else as libpq has them
    std::string application_name = "rollcall";
    bool prepared_statements = true;  // false: for poolers that lose named statements
    std::chrono::milliseconds connect_timeout{5'000};
    std::chrono::milliseconds statement_timeout{30'000};  // per statement or pipeline, our side
    std::chrono::milliseconds acquire_timeout{5'000};
    // One attempt at a time for each pool: bounds how long after an outage it is noticed.
    Backoff reconnect{std::chrono::milliseconds(100), std::chrono::milliseconds(2'000)};
};

[[nodiscard]] std::string library_version();  // of libpq, as it is at run time

// Whether libpq can read the URL; the reason never quotes it.
[[nodiscard]] Result<void> check(const DatabaseConfig& config);

// One explicit transaction. BEGIN travels with the first statement. Ends in `commit()`; anything
// else that ends the scope, an exception too, closes it by rollback before the connection is used
// again. One coroutine at a time may use it, and none after it committed or threw Unavailable.
class Transaction {
public:
    Transaction(Transaction&&) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();

    Task<Rows> execute(const Statement& statement, const Params& params = {});
    Task<std::expected<Rows, SqlError>> try_execute(const Statement& statement,
                                                    const Params& params = {});
    // SQL text of several statements without parameters; names the line of a refused one.
    Task<std::expected<void, SqlError>> try_execute_script(std::string_view text);

    Task<> commit();
    // For callers whose next step depends on the refusal (a deferred constraint, a serialization
    // failure); nothing is committed then.
    Task<std::expected<void, SqlError>> try_commit();
    // The last statement and the commit in one round trip.
    Task<Rows> execute_and_commit(const Statement& statement, const Params& params = {});

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

    // Several statements, sent at once and committed together or not at all. None may be BEGIN or
    // its like; what must hold for the transaction goes by set_config(…, true).
    struct Step {
        const Statement* statement;
        Params params;
    };
    Task<std::vector<Rows>> execute_together(std::vector<Step> steps);
    Task<std::expected<std::vector<Rows>, SqlError>> try_execute_together(std::vector<Step> steps);

    Task<Transaction> begin();  // READ COMMITTED

    // SQL text of several statements without parameters, in one implicit transaction.
    Task<> execute_script(std::string_view text);

    // Whether a connection worked within the last `age`; asks the server when none did.
    Task<bool> healthy(std::chrono::milliseconds age);

    // Waits for connections in use (within the limits above), closes all. Later calls throw
    // Unavailable. The event loop runs out of work only after this, or the pool's end.
    Task<> stop();

    struct State;  // of pg/ only

private:
    friend class Notifier;
    std::shared_ptr<State> state_;  // outlives the pool while calls are under way
};

}  // namespace rollcall::pg
