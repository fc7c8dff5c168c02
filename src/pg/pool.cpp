#include "pg/pool.hpp"

#include "base/log.hpp"
#include "pg/endpoint.hpp"
#include "pg/pool_state.hpp"

#include <libpq-fe.h>
#include <array>
#include <boost/asio/redirect_error.hpp>
#include <utility>

namespace rollcall::pg {
namespace {

constexpr Statement ping{"ping", "SELECT 1"};

}  // namespace

std::string library_version() {
    constexpr int major = 10'000;
    const int version = PQlibVersion();
    return std::to_string(version / major) + "." + std::to_string(version % major);
}

Result<void> check(const DatabaseConfig& config) {
    const auto endpoint = Endpoint::parse(config);
    if (!endpoint) return std::unexpected(endpoint.error());
    return {};
}

Pool::Pool(Executor executor, std::string name, int connections_max, DatabaseConfig config,
           MetricsRegistry& metrics)
    : state_(std::make_shared<State>(executor, std::move(name), connections_max, std::move(config),
                                     metrics)) {}

Pool::~Pool() {
    state_->close();
}

Task<Rows> Pool::execute(const Statement& statement, const Params& params) {
    co_return or_throw(co_await state_->execute(statement, params));
}

Task<std::expected<Rows, SqlError>> Pool::try_execute(const Statement& statement,
                                                      const Params& params) {
    co_return or_refusal(co_await state_->execute(statement, params));
}

Task<std::expected<std::vector<Rows>, SqlError>> Pool::try_execute_together(
    std::vector<Step> steps) {
    std::vector<Rows> results;
    if (steps.empty()) co_return results;
    const Lease lease = co_await state_->lease();
    State& state = lease.pool();
    std::vector<State::Command> commands;
    commands.reserve(steps.size());
    for (const Step& step : steps) {
        commands.push_back({&state.plans.find(*step.statement, step.params), &step.params});
    }
    const bool well = co_await state.run(*lease, commands, State::Scope::whole);
    if (!well) {
        Failure& failure = lease->failure();
        if (failure.kind == Failure::Kind::refused) {
            co_return std::unexpected(to_sql_error(failure));
        }
        raise(failure);
    }
    results.reserve(steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) results.push_back(lease->take(i));
    co_return results;
}

Task<std::vector<Rows>> Pool::execute_together(std::vector<Step> steps) {
    auto results = co_await try_execute_together(std::move(steps));
    if (!results) throw std::move(results.error());
    co_return std::move(*results);
}

Task<> Pool::execute_script(std::string_view text) {
    const Lease lease = co_await state_->lease();
    const bool well = co_await lease.pool().run_script(*lease, text, State::Scope::whole);
    if (!well) raise(lease->failure());
}

Task<bool> Pool::healthy(std::chrono::milliseconds age) {
    State* const state = state_.get();
    if (state->last_success != SteadyTime::min() &&
        std::chrono::steady_clock::now() - state->last_success <= age) {
        co_return true;
    }
    const auto answer = co_await state->execute(ping, state->no_params);
    co_return answer.has_value();
}

Task<> Pool::stop() {
    const auto state = state_;
    if (!state->stopping) {
        state->stopping = true;
        state->drain_timer.expires_after(state->config.acquire_timeout +
                                         state->config.statement_timeout);
    }
    while (!state->drained() && std::chrono::steady_clock::now() < state->drain_timer.expiry()) {
        boost::system::error_code ignored;
        co_await state->drain_timer.async_wait(asio::redirect_error(use_task, ignored));
    }
    if (!state->drained()) {
        log::warn("pool_closed_in_use", {{"pool", state->name}, {"connections", state->busy}});
    }
    state->close();
}

}  // namespace rollcall::pg
