// The step that brings the mirror's index, on a table that is in use.
#include "pg/pool.hpp"
#include "support/postgres.hpp"
#include "support/run.hpp"

#include <gtest/gtest.h>
#include <fstream>
#include <iterator>

namespace rollcall::jobs {
namespace {

class MirrorsIndex : public testing::Test {
protected:
    MirrorsIndex() {
        sql("CREATE SCHEMA rollcall");
        for (const char* step :
             {"0001_job_queue", "0002_ledger", "0003_access", "0004_deliveries",
              "0005_jobs_functions", "0006_sync", "0007_alerts", "0008_polling"}) {
            sql(text_of(step));
        }
    }
    ~MirrorsIndex() override { test::run(io, pool.stop()); }

    static std::string text_of(const std::string& step) {
        std::ifstream file(ROLLCALL_SOURCE_DIR "/migrations/" + step + ".sql");
        return {std::istreambuf_iterator<char>(file), {}};
    }
    std::string sql(const std::string& text) const { return db.sql(text, io); }
    // As the migrator does it: one transaction that waits for nobody for long.
    void migrate() const {
        sql("BEGIN; SET LOCAL lock_timeout = '3s'; " + text_of("0009_mirror") + "; COMMIT");
    }
    std::string index() const { return sql("SELECT 'idx_job_queue_mirror'::regclass::oid"); }

    mutable asio::io_context io;
    test::Database db;
    MetricsRegistry registry;
    pg::Pool pool{io.get_executor(), "reader", 1, db.config(), registry};
};

// A dump, a long report: it replaces no index, and so waits for no reader and stops none.
TEST_F(MirrorsIndex, IsBuiltBesideWhoReads) {
    pg::Transaction reader = test::run(io, pool.begin());
    const pg::Statement read{"read", "SELECT count(*) FROM public.job_queue"};
    test::run(io, reader.execute(read));
    migrate();
    EXPECT_NE(index(), "");
    test::run(io, reader.execute_and_commit(read));
}

// Whose table is large makes it without a lock, beforehand.
TEST_F(MirrorsIndex, IsKeptWhereItWasBuiltBefore) {
    const std::string text = text_of("0009_mirror");
    const std::size_t at = text.find("ON public.job_queue (priority DESC, run_at, id)");
    ASSERT_NE(at, std::string::npos);
    sql("CREATE INDEX CONCURRENTLY idx_job_queue_mirror " +
        text.substr(at, text.find(';', at) - at));
    const std::string built = index();
    migrate();
    EXPECT_EQ(index(), built);
}

}  // namespace
}  // namespace rollcall::jobs
