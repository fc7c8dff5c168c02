// A job_queue that an application already has is kept, and what was in it goes on.
#include "jobs/queue_admin.hpp"
#include "jobs_fixture.hpp"

#include <fstream>
#include <iterator>
#include <string>

namespace rollcall::jobs {
namespace {

constexpr auto as_documented = R"(
    CREATE TABLE job_queue (
      id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
      job_type TEXT NOT NULL,
      payload JSONB NOT NULL DEFAULT '{}'::jsonb,
      status TEXT NOT NULL DEFAULT 'PENDING',
      priority INTEGER NOT NULL DEFAULT 1,
      error TEXT,
      result JSONB,
      created_at TIMESTAMPTZ DEFAULT NOW(),
      updated_at TIMESTAMPTZ DEFAULT NOW(),
      processed_at TIMESTAMPTZ
    );
    CREATE INDEX idx_job_queue_status ON job_queue(status);
    CREATE INDEX idx_job_queue_priority_created ON job_queue(priority DESC, created_at ASC);
    INSERT INTO job_queue (job_type, payload, status, error, created_at, updated_at) VALUES
      ('USER_CREATED', '{"clerk_id":"user_1"}', 'PENDING', NULL, now() - interval '3 hours', now()),
      ('USER_CREATED', '{"clerk_id":"user_2"}', 'FAILED', 'boom', now() - interval '2 hours',
       now() - interval '1 hour'),
      ('REFRESH_USER', '{"clerk_id":"user_3"}', 'PENDING', NULL, NULL, NULL),
      ('SEND_EMAIL', '{"n":1}', 'PENDING', NULL, now(), now());
)";

struct AdoptedTable : testing::Test {
    test::Database db;

    void migrate(const std::string& name) const {
        std::ifstream file(ROLLCALL_SOURCE_DIR "/migrations/" + name + ".sql");
        const std::string text((std::istreambuf_iterator<char>(file)), {});
        ASSERT_FALSE(text.empty());
        db.sql(text);
    }
};

TEST_F(AdoptedTable, IsKeptAndWorkedOff) {
    db.sql(as_documented);
    test::migrate(db.url());
    EXPECT_EQ(db.sql("SELECT count(*) FROM job_queue"), "4");
    EXPECT_EQ(db.sql("SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE "
                     "tablename = 'job_queue' AND indexname ~ 'status|priority'"),
              "idx_job_queue_priority_created idx_job_queue_status");
    EXPECT_EQ(db.sql("SELECT string_agg(column_name || ' ' || data_type || ' ' || is_nullable || "
                     "' ' || coalesce(column_default, '-'), ', ' ORDER BY ordinal_position) FROM "
                     "information_schema.columns WHERE table_name = 'job_queue' AND "
                     "ordinal_position <= 10"),
              "id uuid NO gen_random_uuid(), job_type text NO -, payload jsonb NO '{}'::jsonb, "
              "status text NO 'PENDING'::text, priority integer NO 1, error text YES -, result "
              "jsonb YES -, created_at timestamp with time zone YES now(), updated_at timestamp "
              "with time zone YES now(), processed_at timestamp with time zone YES -");

    asio::io_context io;
    MetricsRegistry registry;
    pg::Pool pool(io.get_executor(), "test", 2, db.config(), registry);
    JobQueue queue(pool);
    const auto jobs = test::run(io, queue.claim("w1", 10, std::chrono::seconds(15)));
    ASSERT_EQ(jobs.size(), 1U);
    EXPECT_EQ(jobs[0].kind, "REFRESH_USER");
    EXPECT_EQ(jobs[0].age.count(), 0);
    EXPECT_TRUE(test::run(io, queue.complete(jobs[0], "{}")));

    QueueAdmin admin(pool);
    const auto page = test::run(io, admin.list({.limit = 3}));
    ASSERT_TRUE(page);
    ASSERT_TRUE(page->next);
    const auto rest = test::run(io, admin.list({.after = page->next, .limit = 2}));
    ASSERT_TRUE(rest);
    ASSERT_EQ(rest->jobs.size(), 1U);
    EXPECT_EQ(rest->jobs[0].kind, "REFRESH_USER");  // without a time it stands last
    EXPECT_EQ(test::run(io, admin.change(Verb::retry, {}, false))->changed.size(), 1U);
    const auto id = db.sql("SELECT id FROM job_queue WHERE payload->>'clerk_id' = 'user_2'");
    const auto job = test::run(io, admin.show(id));
    ASSERT_TRUE(job);
    ASSERT_EQ(job->history.size(), 3U);
    EXPECT_EQ(job->history[1].status, "FAILED");
    EXPECT_EQ(job->history[1].error, "boom");
    EXPECT_EQ(job->history[2].status, "PENDING");
    test::run(io, pool.stop());
}

TEST_F(AdoptedTable, TheStepMayRunOnWhatItMade) {
    db.sql("CREATE SCHEMA rollcall");
    migrate("0001_job_queue");
    db.sql("INSERT INTO job_queue (job_type) VALUES ('A')");
    migrate("0001_job_queue");
    EXPECT_EQ(db.sql("SELECT count(*) FROM job_queue"), "1");
}

}  // namespace
}  // namespace rollcall::jobs
