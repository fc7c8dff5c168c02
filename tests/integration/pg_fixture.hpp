// What the tests of pg/ share: an event loop, a database of their own, a pool.
#pragma once

#include "pg/pool.hpp"
#include "support/postgres.hpp"
#include "support/run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <utility>

namespace rollcall::pg {

using namespace std::chrono_literals;

class PgTest : public testing::Test {
protected:
    template <class T>
    T run(Task<T> task, std::chrono::milliseconds limit = test::deadline) {
        return test::run(io, std::move(task), limit);
    }
    [[nodiscard]] bool until(const std::function<bool()>& condition,
                             std::chrono::milliseconds limit = test::deadline) {
        return test::wait_until(io, condition, limit);
    }
    // One value in text form.
    std::string value(Pool& pool, std::string_view text, const Params& params = {}) {
        const Rows rows = run(pool.execute({"value", text}, params));
        return std::string(rows.text(0, 0));
    }
    // The value of a sample of the metrics page, by its whole name and labels.
    [[nodiscard]] double sample(std::string_view name) const {
        const std::string page = metrics.render();
        const std::size_t at = page.find("\n" + std::string(name) + " ");
        return at == std::string::npos ? -1 : std::stod(page.substr(at + name.size() + 2));
    }

    asio::io_context io;
    MetricsRegistry metrics;
};

// With a database and a pool of `size` connections.
class PoolTest : public PgTest {
protected:
    explicit PoolTest(int size = 4) : pool(io.get_executor(), "main", size, db.config(), metrics) {}

    test::Database db;
    Pool pool;
};

}  // namespace rollcall::pg
