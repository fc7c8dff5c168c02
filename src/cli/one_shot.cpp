#include "cli/one_shot.hpp"

#include "cli/migrations.hpp"
#include "pg/migrator.hpp"

#include <exception>

#include <boost/asio/co_spawn.hpp>

namespace rollcall::cli {

Result<int> try_once(const Config& config, const std::function<Task<int>(pg::Pool&)>& work) {
    asio::io_context loop(1);
    MetricsRegistry metrics;
    pg::DatabaseConfig database = config.database;
    database.application_name = "rollcall-cli";
    pg::Pool pool(loop.get_executor(), "cli", 2, database, metrics);
    int exit_code = exit_found;
    std::exception_ptr trouble;
    asio::co_spawn(
        loop.get_executor(),
        [](pg::Pool& used, const std::function<Task<int>(pg::Pool&)>& job) -> Task<int> {
            const int code = co_await job(used);
            co_await used.stop();
            co_return code;
        }(pool, work),
        [&](std::exception_ptr error, int code) {
            trouble = error;
            exit_code = code;
            loop.stop();
        });
    loop.run();
    if (!trouble) return exit_code;
    // The edge of the program: an exception becomes an exit code here.
    try {
        std::rethrow_exception(trouble);
    } catch (const Unavailable& error) {
        return fail(ErrorCode::unavailable, error.what());
    } catch (const std::exception& error) {
        return fail(ErrorCode::internal, error.what());
    }
}

int run_once(const Config& config, const std::function<Task<int>(pg::Pool&)>& work) {
    const auto code = try_once(config, work);
    return code ? *code : report(code.error());
}

Task<Result<void>> has_schema(pg::Pool& pool) {
    const auto current = co_await pg::Migrator(pool, migrations()).up_to_date();
    if (!current) co_return std::unexpected(current.error());
    if (!*current) {
        co_return fail(ErrorCode::not_found,
                       "this database has not all of rollcall's schema; run: rollcall migrate");
    }
    co_return Result<void>();
}

}  // namespace rollcall::cli
