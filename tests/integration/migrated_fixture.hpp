// What those tests share that empty one migrated database instead of making one each, which is much
// dearer: an event loop, a pool, and short words for what is asked most.
#pragma once

#include "base/metrics.hpp"
#include "pg/pool.hpp"
#include "support/postgres.hpp"
#include "support/run.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace rollcall::test {

class MigratedTest : public testing::Test {
protected:
    // Empties `tables`, and those that refer to them.
    explicit MigratedTest(std::string_view tables) {
        db.sql(fmt::format("TRUNCATE {} CASCADE", tables));
    }
    ~MigratedTest() override { run(pool.stop()); }

    // One for the whole program.
    static Database& database() {
        static Database shared(Database::Content::migrated);
        return shared;
    }

    template <class T>
    T run(Task<T> task) {
        return test::run(io, std::move(task));
    }
    [[nodiscard]] bool wait_until(const std::function<bool()>& condition) {
        return test::wait_until(io, condition);
    }
    std::string sql(const std::string& text) const { return db.sql(text, io); }

    Database& db = database();
    mutable asio::io_context io;
    MetricsRegistry registry;
    pg::Pool pool{io.get_executor(), "test", 8, db.config(), registry};
};

}  // namespace rollcall::test
