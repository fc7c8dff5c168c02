// The inside of Pool: who has which connection, who waits, and whether the database is there.
// Connections are opened on behalf of waiters, beside them. Once opening has failed the database
// counts as away: one attempt at a time, with backoff, decides when it is back, and callers fail at
// once unless such an attempt or a connection in use may still serve them.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "pg/connection.hpp"
#include "pg/failure.hpp"
#include "pg/plan.hpp"
#include "pg/pool.hpp"

#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace rollcall::pg {

class Opening;

struct PoolMetrics {
    PoolMetrics(MetricsRegistry& registry, const std::string& pool, int connections_max);
    void count_error(const std::string& sqlstate);

    prometheus::Gauge& idle;
    prometheus::Gauge& busy;
    prometheus::Histogram& wait;
    prometheus::Counter& timeouts;
    prometheus::Family<prometheus::Counter>& errors;
    prometheus::Family<prometheus::Counter>& retried;
};

// A connection for as long as one coroutine has it. Going out of scope returns it to the pool,
// which rolls back, keeps or drops it as its state demands.
class Lease {
public:
    Lease() = default;
    Lease(std::shared_ptr<Pool::State> pool, std::shared_ptr<Connection> connection)
        : pool_(std::move(pool)), connection_(std::move(connection)) {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&& other) noexcept {
        std::swap(pool_, other.pool_);
        std::swap(connection_, other.connection_);
        return *this;
    }
    ~Lease();

    explicit operator bool() const { return connection_ != nullptr; }
    Connection* operator->() const { return connection_.get(); }
    Connection& operator*() const { return *connection_; }
    Pool::State& pool() const { return *pool_; }

private:
    std::shared_ptr<Pool::State> pool_;
    std::shared_ptr<Connection> connection_;
};

struct Pool::State : std::enable_shared_from_this<Pool::State> {
    State(Executor e, std::string n, int max, DatabaseConfig c, MetricsRegistry& registry);

    // A connection at once, or nothing when one has to wait().
    Lease try_acquire();
    Task<Outcome<Lease>> wait();
    Task<Lease> lease();  // either; throws when there is none in time
    void give_back(std::shared_ptr<Connection> connection);

    // What a pipeline is to the transaction around it.
    enum class Scope : std::uint8_t {
        whole,  // it is the transaction
        first,  // its first command is BEGIN
        inner,
    };
    struct Command {
        const Plan* plan;
        const Params* params;
    };
    // One pipeline. False: connection.failure() says why. When the server has lost a prepared
    // statement, nothing has happened yet, and the pipeline is sent again where that is possible.
    Task<bool> run(Connection& connection, std::span<const Command> commands, Scope scope);
    Task<bool> run_script(Connection& connection, std::string_view text, Scope scope);
    // A pipeline on any connection.
    Task<Outcome<Rows>> execute(const Statement& statement, const Params& params);

    void close();
    [[nodiscard]] bool drained() const { return busy == 0 && waiters_.empty(); }
    void note_drained();
    void update_gauges();

    const Executor executor;
    const std::string name;
    const std::size_t connections_max;
    const DatabaseConfig config;
    PoolMetrics metrics;
    PlanCache plans;
    const Params no_params;
    const Plan& begin_plan;
    const Plan& commit_plan;
    const Plan& rollback_plan;
    SteadyTime last_success = SteadyTime::min();
    SteadyTimer drain_timer;
    bool stopping = false;  // no new callers
    std::size_t busy = 0;

private:
    struct Waiter;
    class Waiting;

    std::shared_ptr<Connection> take_idle();
    void serve();
    void fail_waiters();
    [[nodiscard]] bool may_open() const;
    void start_opening();
    static Task<> open(std::shared_ptr<State> self);
    static Task<> roll_back(std::shared_ptr<State> self, std::shared_ptr<Connection> connection);
    void opened(std::shared_ptr<Connection> connection);
    void not_opened(Failure failure);
    void schedule_retry();
    void note_stale_plan(Connection& connection);
    void observe(std::span<const Command> commands, Duration took);
    [[nodiscard]] Failure gave_up_waiting(bool cancelled) const;

    std::vector<std::shared_ptr<Connection>> idle_;  // the last one returned is the first one taken
    std::list<Waiter*> waiters_;
    std::vector<Opening*> openings_;
    std::size_t opening_ = 0;
    std::size_t first_address_ = 0;

    bool closed_ = false;
    bool down_ = false;    // the last attempt to open a connection failed
    bool suspect_ = true;  // no proof yet that the server is there: open one at a time
    int failures_ = 0;     // attempts in a row
    std::string reason_;   // of the last one
    bool retry_scheduled_ = false;
    SteadyTimer retry_timer_;
    Random random_;

    bool named_;  // prepared statements have names
    int names_lost_ = 0;
};

}  // namespace rollcall::pg
