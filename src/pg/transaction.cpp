#include "pg/pool.hpp"
#include "pg/pool_state.hpp"

#include <array>
#include <utility>

namespace rollcall::pg {

struct Transaction::State {
    using Scope = Pool::State::Scope;

    // The commands of one round trip, BEGIN before the first.
    Task<Outcome<Rows>> execute(const Statement& statement, const Params& params, bool commit);
    Task<Outcome<void>> script(std::string_view text);
    Task<Outcome<void>> commit();

    Failure& spoiled() {
        open = false;
        return lease->failure();
    }
    // COMMIT of a transaction that a statement has failed in is a rollback, and says so softly.
    [[nodiscard]] Outcome<void> committed() const {
        if (lease->last_tag() == "COMMIT") return {};
        return std::unexpected(Failure{.kind = Failure::Kind::refused,
                                       .message = "commit: rolled back, a statement had failed",
                                       .sqlstate = "25P02"});
    }

    void release() {
        open = false;
        const Lease gone = std::move(lease);
    }

    Lease lease;
    bool begun = false;
    bool open = true;
};

Task<Outcome<Rows>> Transaction::State::execute(const Statement& statement, const Params& params,
                                                bool commit) {
    ensure(open, "a transaction used after its end");
    Pool::State& pool = lease.pool();
    std::array<Pool::State::Command, 3> commands{};
    std::size_t count = 0;
    const std::size_t own = begun ? 0 : 1;
    if (!begun) commands[count++] = {&pool.begin_plan, &pool.no_params};
    commands[count++] = {&pool.plans.find(statement, params), &params};
    if (commit) commands[count++] = {&pool.commit_plan, &pool.no_params};
    const Scope scope = begun ? Scope::inner : Scope::first;
    begun = true;
    const bool well = co_await pool.run(*lease, {commands.data(), count}, scope);
    if (!well) {
        Failure& failure = lease->failure();
        if (failure.kind == Failure::Kind::unavailable) open = false;
        co_return std::unexpected(std::move(failure));
    }
    Rows rows = lease->take(own);
    if (commit) {
        auto done = committed();
        release();
        if (!done) co_return std::unexpected(std::move(done.error()));
    }
    co_return rows;
}

Task<Outcome<void>> Transaction::State::script(std::string_view text) {
    ensure(open, "a transaction used after its end");
    Pool::State& pool = lease.pool();
    if (!begun) {
        begun = true;
        const std::array<Pool::State::Command, 1> begin{{{&pool.begin_plan, &pool.no_params}}};
        const bool well = co_await pool.run(*lease, begin, Scope::first);
        if (!well) co_return std::unexpected(std::move(spoiled()));
    }
    const bool well = co_await pool.run_script(*lease, text, Scope::inner);
    if (!well) {
        Failure& failure = lease->failure();
        if (!lease->usable() || !lease->in_transaction()) open = false;
        co_return std::unexpected(std::move(failure));
    }
    co_return Outcome<void>();
}

Task<Outcome<void>> Transaction::State::commit() {
    ensure(open, "a transaction used after its end");
    open = false;
    if (!begun) {
        release();
        co_return Outcome<void>();
    }
    Pool::State& pool = lease.pool();
    const std::array<Pool::State::Command, 1> commands{{{&pool.commit_plan, &pool.no_params}}};
    const bool well = co_await pool.run(*lease, commands, Scope::inner);
    Outcome<void> done = well ? committed() : std::unexpected(std::move(lease->failure()));
    release();
    co_return done;
}

Transaction::Transaction(std::unique_ptr<State> state) : state_(std::move(state)) {}
Transaction::Transaction(Transaction&&) noexcept = default;
Transaction::~Transaction() = default;

Task<Transaction> Pool::begin() {
    auto transaction = std::make_unique<Transaction::State>();
    transaction->lease = co_await state_->lease();
    co_return Transaction(std::move(transaction));
}

Task<Rows> Transaction::execute(const Statement& statement, const Params& params) {
    co_return or_throw(co_await state_->execute(statement, params, /*commit=*/false));
}

Task<std::expected<Rows, SqlError>> Transaction::try_execute(const Statement& statement,
                                                             const Params& params) {
    co_return or_refusal(co_await state_->execute(statement, params, /*commit=*/false));
}

Task<Rows> Transaction::execute_and_commit(const Statement& statement, const Params& params) {
    co_return or_throw(co_await state_->execute(statement, params, /*commit=*/true));
}

Task<std::expected<void, SqlError>> Transaction::try_execute_script(std::string_view text) {
    co_return or_refusal(co_await state_->script(text));
}

Task<> Transaction::commit() {
    or_throw(co_await state_->commit());
}

Task<std::expected<void, SqlError>> Transaction::try_commit() {
    co_return or_refusal(co_await state_->commit());
}

}  // namespace rollcall::pg
