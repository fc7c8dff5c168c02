#include "pg/pool_state.hpp"

#include "base/backoff.hpp"
#include "base/log.hpp"
#include "pg/opening.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>

namespace rollcall::pg {
namespace {

constexpr Statement begin_statement{"begin", "BEGIN ISOLATION LEVEL READ COMMITTED"};
constexpr Statement commit_statement{"commit", "COMMIT"};
constexpr Statement rollback_statement{"rollback", "ROLLBACK"};

// The line of character number `position`, both from 1; UTF-8.
std::ptrdiff_t line_of(std::string_view text, int position) {
    std::size_t end = 0;
    for (int characters = 0; end < text.size(); ++end) {
        const bool starts_one = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
        if (starts_one && ++characters == position) break;
    }
    return 1 + std::ranges::count(text.substr(0, end), '\n');
}

// Serialization failure and deadlock: whoever asked does it again.
constexpr std::array<std::string_view, 2> lost_to_another{"40001", "40P01"};

double seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

PoolMetrics::PoolMetrics(MetricsRegistry& registry, const std::string& pool, int connections_max)
    : idle(registry.gauge("rollcall_db_connections", "Open database connections.")
               .Add({{"pool", pool}, {"state", "idle"}})),
      busy(registry.gauge("rollcall_db_connections", "Open database connections.")
               .Add({{"pool", pool}, {"state", "busy"}})),
      wait(registry
               .histogram("rollcall_db_pool_wait_seconds",
                          "Time that callers waited for a database connection.")
               .Add({{"pool", pool}}, duration_buckets())),
      timeouts(registry
                   .counter("rollcall_db_pool_timeouts_total",
                            "Callers that got no database connection in time.")
                   .Add({{"pool", pool}})),
      errors(registry.counter("rollcall_db_errors_total",
                              "Database errors by the first two characters of their SQLSTATE.")),
      retried(registry.counter("rollcall_db_transactions_retried_total",
                               "Transactions that met another one and are done again.")) {
    registry.gauge("rollcall_db_connections_max", "Most connections that the pool may open.")
        .Add({{"pool", pool}})
        .Set(connections_max);
    for (const auto sqlstate : lost_to_another) retried.Add({{"sqlstate", std::string(sqlstate)}});
    for (const char* sqlstate : {"08", "22", "23", "25", "40", "42", "53", "55", "57", "58"}) {
        errors.Add({{"sqlstate_class", sqlstate}});
    }
}

void PoolMetrics::count_error(const std::string& sqlstate) {
    errors.Add({{"sqlstate_class", sqlstate.substr(0, 2)}}).Increment();
    if (std::ranges::find(lost_to_another, sqlstate) != lost_to_another.end()) {
        retried.Add({{"sqlstate", sqlstate}}).Increment();
    }
}

Lease::~Lease() {
    if (connection_) pool_->give_back(std::move(connection_));
}

// One caller in the queue. Woken through its timer.
struct Pool::State::Waiter {
    explicit Waiter(Executor executor) : timer(executor) {}

    SteadyTimer timer;
    std::list<Waiter*>::iterator place;
    bool queued = true;
    std::shared_ptr<Connection> connection;
    std::optional<Failure> failure;
};

// Keeps a Waiter in the queue, whatever becomes of its coroutine.
class Pool::State::Waiting {
public:
    explicit Waiting(std::shared_ptr<State> p) : pool(std::move(p)), waiter(pool->executor) {
        waiter.place = pool->waiters_.insert(pool->waiters_.end(), &waiter);
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() {
        if (waiter.queued) pool->waiters_.erase(waiter.place);
        if (waiter.connection) pool->give_back(std::move(waiter.connection));
        pool->note_drained();
    }

    std::shared_ptr<State> pool;
    Waiter waiter;
};

Pool::State::State(Executor e, std::string n, int max, DatabaseConfig c, MetricsRegistry& registry)
    : executor(e),
      name(std::move(n)),
      connections_max(static_cast<std::size_t>(max)),
      config(std::move(c)),
      metrics(registry, name, max),
      plans(registry),
      begin_plan(plans.find(begin_statement, no_params)),
      commit_plan(plans.find(commit_statement, no_params)),
      rollback_plan(plans.find(rollback_statement, no_params)),
      drain_timer(e),
      retry_timer_(e),
      named_(config.prepared_statements) {
    ensure(max > 0, "a pool needs at least one connection");
    for (const auto limit :
         {config.connect_timeout, config.statement_timeout, config.acquire_timeout}) {
        ensure(limit.count() > 0, "a pool without a limit of time");
    }
}

void Pool::State::update_gauges() {
    metrics.idle.Set(static_cast<double>(idle_.size()));
    metrics.busy.Set(static_cast<double>(busy));
}

Lease Pool::State::try_acquire() {
    if (stopping || !waiters_.empty()) return {};
    auto connection = take_idle();
    if (!connection) return {};
    metrics.wait.Observe(0);
    return {shared_from_this(), std::move(connection)};
}

std::shared_ptr<Connection> Pool::State::take_idle() {
    std::shared_ptr<Connection> taken;
    while (!taken && !idle_.empty()) {
        taken = std::move(idle_.back());
        idle_.pop_back();
        if (taken->alive()) {
            ++busy;
        } else {
            suspect_ = true;
            taken.reset();
        }
    }
    update_gauges();
    return taken;
}

Task<Outcome<Lease>> Pool::State::wait() {
    if (stopping) {
        co_return std::unexpected(unavailable("database pool \"" + name + "\" is closed"));
    }
    Waiting waiting(shared_from_this());
    Waiter& waiter = waiting.waiter;
    const auto begun = std::chrono::steady_clock::now();
    waiter.timer.expires_at(begun + config.acquire_timeout);
    serve();
    boost::system::error_code error;
    if (waiter.queued) {
        co_await waiter.timer.async_wait(asio::redirect_error(use_task, error));
    }
    metrics.wait.Observe(seconds(std::chrono::steady_clock::now() - begun));
    if (waiter.connection) {
        co_return Lease(waiting.pool, std::exchange(waiter.connection, nullptr));
    }
    if (waiter.failure) co_return std::unexpected(std::move(*waiter.failure));
    if (!error) metrics.timeouts.Increment();
    co_return std::unexpected(gave_up_waiting(error.failed()));
}

Failure Pool::State::gave_up_waiting(bool cancelled) const {
    const std::string limit = std::to_string(config.acquire_timeout.count()) + " ms";
    if (cancelled) return unavailable("wait for a database connection abandoned");
    if (down_) return unavailable("database is away: " + reason_);
    if (busy == 0) return unavailable("database did not let us in within " + limit);
    return unavailable("database pool \"" + name + "\" exhausted: " + std::to_string(busy) +
                       " connections busy for " + limit);
}

void Pool::State::give_back(std::shared_ptr<Connection> connection) {
    if (!connection->usable()) {
        suspect_ = true;
    } else if (connection->in_transaction() && !closed_) {
        spawn(executor, "pg_rollback", roll_back(shared_from_this(), std::move(connection)));
        return;
    } else if (connection->reusable() && !closed_) {
        idle_.push_back(std::move(connection));
    }
    --busy;
    connection.reset();
    if (!waiters_.empty()) serve();
    note_drained();
    update_gauges();
}

void Pool::State::note_drained() {
    if (stopping && drained()) drain_timer.cancel();
}

Task<> Pool::State::roll_back(std::shared_ptr<State> self, std::shared_ptr<Connection> connection) {
    const Lease lease(self, std::move(connection));
    const std::array<Command, 1> commands{{{&self->rollback_plan, &self->no_params}}};
    const bool done = co_await self->run(*lease, commands, Scope::inner);
    if (!done || lease->in_transaction()) lease->abandon();
}

// Gives what there is to who waits longest, and opens connections for the rest.
void Pool::State::serve() {
    while (!waiters_.empty()) {
        auto connection = take_idle();
        if (!connection) break;
        Waiter* const waiter = waiters_.front();
        waiters_.pop_front();
        waiter->queued = false;
        waiter->connection = std::move(connection);
        waiter->timer.cancel();
    }
    while (opening_ < waiters_.size() && may_open()) start_opening();
    if (down_ && opening_ == 0 && busy == 0) fail_waiters();
}

bool Pool::State::may_open() const {
    if (closed_ || down_ || busy + idle_.size() + opening_ >= connections_max) return false;
    return !suspect_ || opening_ == 0;
}

void Pool::State::fail_waiters() {
    while (!waiters_.empty()) {
        Waiter* const waiter = waiters_.front();
        waiters_.pop_front();
        waiter->queued = false;
        waiter->failure = unavailable(closed_ ? "database pool \"" + name + "\" is closed"
                                              : "database is away: " + reason_);
        waiter->timer.cancel();
    }
}

void Pool::State::start_opening() {
    ++opening_;
    spawn(executor, "pg_open", open(shared_from_this()));
}

Task<> Pool::State::open(std::shared_ptr<State> self) {
    // Not within the call that asked for it.
    co_await asio::post(self->executor, use_task);
    Opening opening(self->executor, self->config, self->first_address_);
    if (self->closed_) opening.cancel();
    self->openings_.push_back(&opening);
    struct Listed {
        ~Listed() {
            std::erase(self.openings_, opening);
            --self.opening_;
        }
        State& self;
        Opening* opening;
    };
    Outcome<std::shared_ptr<Connection>> outcome;
    {
        const Listed listed{*self, &opening};
        outcome = co_await opening.run();
    }
    if (self->closed_) co_return;
    if (outcome && (*outcome)->usable()) {
        self->opened(std::move(*outcome));
    } else {
        self->not_opened(outcome ? unavailable("database connection unusable")
                                 : std::move(outcome.error()));
    }
}

void Pool::State::opened(std::shared_ptr<Connection> connection) {
    if (down_) log::info("database_back", {{"pool", name}, {"attempts", failures_}});
    down_ = false;
    suspect_ = false;
    failures_ = 0;
    last_success = std::chrono::steady_clock::now();
    if (stopping && waiters_.empty()) return;
    idle_.push_back(std::move(connection));
    serve();
    update_gauges();
}

void Pool::State::not_opened(Failure failure) {
    if (!down_) log::warn("database_away", {{"pool", name}, {"reason", failure.message}});
    down_ = true;
    suspect_ = true;
    reason_ = std::move(failure.message);
    metrics.count_error(failure.sqlstate);
    if (!retry_scheduled_) schedule_retry();
    serve();
}

void Pool::State::schedule_retry() {
    retry_scheduled_ = true;
    retry_timer_.expires_after(backoff_delay(config.reconnect, failures_, random_));
    ++failures_;
    retry_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        const auto self = weak.lock();
        if (!self) return;
        self->retry_scheduled_ = false;
        if (error || self->closed_ || !self->down_ || self->opening_ > 0) return;
        self->start_opening();
    });
}

void Pool::State::close() {
    stopping = true;
    closed_ = true;
    idle_.clear();
    retry_timer_.cancel();
    for (Opening* const opening : openings_) opening->cancel();
    fail_waiters();
    update_gauges();
}

Task<bool> Pool::State::run(Connection& connection, std::span<const Command> commands,
                            Scope scope) {
    using Use = Connection::Use;
    Use use = named_ ? Use::named : Use::unnamed;
    for (int attempt = 0;; ++attempt) {
        const auto begun = std::chrono::steady_clock::now();
        connection.start(use);
        for (const Command& command : commands) connection.queue(*command.plan, *command.params);
        const bool well = co_await connection.exchange();
        const auto ended = std::chrono::steady_clock::now();
        if (well) {
            last_success = ended;
            observe(commands, ended - begun);
            if (scope == Scope::whole && connection.in_transaction()) {
                connection.refuse({.kind = Failure::Kind::refused,
                                   .message = commands.front().plan->label +
                                              ": left a transaction open; use Pool::begin",
                                   .sqlstate = "25001"});
                co_return false;
            }
            co_return true;
        }
        Failure& failure = connection.failure();
        metrics.count_error(failure.sqlstate);
        if (!failure.plan_stale) co_return false;

        note_stale_plan(connection);
        if (scope == Scope::inner || attempt == 2 || !connection.usable()) {
            failure.kind = Failure::Kind::unavailable;
            failure.message += "; the transaction may be repeated";
            co_return false;
        }
        use = failure.sqlstate == "26000" && attempt == 0 && named_ ? Use::prepared : Use::unnamed;
        if (connection.in_transaction()) {
            connection.start(Use::unnamed);
            connection.queue(rollback_plan, no_params);
            if (!co_await connection.exchange()) co_return false;
        }
    }
}

Task<bool> Pool::State::run_script(Connection& connection, std::string_view text, Scope scope) {
    const bool well = co_await connection.script(text);
    if (!well) {
        Failure& failure = connection.failure();
        if (failure.position > 0) {
            failure.message += ", line " + std::to_string(line_of(text, failure.position));
        }
        metrics.count_error(failure.sqlstate);
        co_return false;
    }
    last_success = std::chrono::steady_clock::now();
    const bool open = connection.in_transaction();
    if (open != (scope != Scope::whole)) {
        connection.refuse({.kind = Failure::Kind::refused,
                           .message = open ? "script: left a transaction open"
                                           : "script: ended the transaction that it ran in",
                           .sqlstate = open ? "25001" : "25000"});
        co_return false;
    }
    co_return true;
}

void Pool::State::observe(std::span<const Command> commands, Duration took) {
    const std::size_t first = commands.size() > 1 && commands[0].plan == &begin_plan ? 1 : 0;
    commands[first].plan->duration->Observe(seconds(took));
}

// A server forgets names on DISCARD, which is rare. More than that is a pooler that hands our
// transactions to servers that never heard of them; names do more harm than good then.
void Pool::State::note_stale_plan(Connection& connection) {
    const std::string& sqlstate = connection.failure().sqlstate;
    if (sqlstate == "0A000") {
        connection.retire();  // its plans are of yesterday's tables
        return;
    }
    if (sqlstate == "26000" && ++names_lost_ < 5) return;
    if (!named_) return;
    named_ = false;
    log::warn("prepared_statements_given_up",
              {{"pool", name},
               {"sqlstate", sqlstate},
               {"advice", "a pooler loses them: set prepared statements off for this database"}});
}

Task<Lease> Pool::State::lease() {
    Lease lease = try_acquire();
    if (!lease) {
        auto waited = co_await wait();
        if (!waited) raise(waited.error());
        lease = std::move(*waited);
    }
    co_return lease;
}

Task<Outcome<Rows>> Pool::State::execute(const Statement& statement, const Params& params) {
    Lease lease = try_acquire();
    if (!lease) {
        auto waited = co_await wait();
        if (!waited) co_return std::unexpected(std::move(waited.error()));
        lease = std::move(*waited);
    }
    const std::array<Command, 1> commands{{{&plans.find(statement, params), &params}}};
    const bool well = co_await run(*lease, commands, Scope::whole);
    if (!well) co_return std::unexpected(std::move(lease->failure()));
    co_return lease->take(0);
}

}  // namespace rollcall::pg
