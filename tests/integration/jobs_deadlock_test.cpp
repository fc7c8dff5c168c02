// What a deadlock undoes, as another transaction that locks jobs may cause one, is done again at
// once: nobody outside sees it.
#include "jobs_fixture.hpp"

namespace rollcall::jobs {
namespace {

class JobsDeadlock : public JobsTest {
protected:
    JobsDeadlock() { sql("CREATE SEQUENCE public.written"); }
    ~JobsDeadlock() override {
        sql("DROP FUNCTION IF EXISTS public.in_the_way CASCADE");
        sql("DROP SEQUENCE public.written");
    }

    // The next `times` statements that write jobs are undone as in a deadlock.
    void be_in_the_way(int times) const {
        sql(fmt::format(
            "CREATE OR REPLACE FUNCTION public.in_the_way() RETURNS trigger LANGUAGE plpgsql "
            "AS $$ BEGIN IF nextval('public.written') <= {} THEN "
            "RAISE EXCEPTION USING ERRCODE = '40P01'; END IF; RETURN NULL; END $$",
            times));
        sql("CREATE OR REPLACE TRIGGER in_the_way BEFORE INSERT OR UPDATE ON public.job_queue "
            "FOR EACH STATEMENT EXECUTE FUNCTION public.in_the_way()");
        sql("ALTER SEQUENCE public.written RESTART");
    }
};

TEST_F(JobsDeadlock, AnEventIsStoredAllTheSame) {
    be_in_the_way(2);
    EXPECT_FALSE(enqueue({event("msg_1")}).front().duplicate);
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue"), "1");
    be_in_the_way(1000);
    const std::vector jobs{event("msg_2")};
    const auto refused = run(queue.enqueue(jobs));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::internal) << "the queue is not away for a trigger";
    EXPECT_EQ(sql("SELECT last_value FROM public.written"), "3") << "but not for ever";
}

TEST_F(JobsDeadlock, AnEndIsRecordedAllTheSame) {
    const auto id = add("REFRESH_USER");
    for (const bool last : {false, true}) {
        const auto jobs = claim();
        ASSERT_EQ(jobs.size(), 1U);
        be_in_the_way(2);
        const auto told = run(last ? queue.complete(jobs[0], "")
                                   : queue.retry(jobs[0], std::chrono::milliseconds(0), "x", true));
        EXPECT_TRUE(told) << told.error().message;
    }
    EXPECT_EQ(status(id), "COMPLETED");
}

}  // namespace
}  // namespace rollcall::jobs
