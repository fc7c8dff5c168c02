// What the tests of mirror/ share: the directory's fixture with the mirror on, a Supabase Auth in
// memory, and the lane of the mirror's jobs.
#pragma once

#include "directory_fixture.hpp"
#include "fake_auth.hpp"
#include "fake_clerk.hpp"
#include "jobs/queue.hpp"
#include "mirror/auth_id.hpp"
#include "mirror/mirror_user.hpp"

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rollcall::mirror {

using directory::Told;
using namespace std::chrono_literals;

class MirrorTest : public directory::DirectoryTest {
protected:
    MirrorTest() : DirectoryTest(on()) { make(); }

    static directory::DirectoryConfig on() {
        directory::DirectoryConfig config;
        config.mirror = true;
        return config;
    }
    void make(bool with_clerk = true) {
        mirror = std::make_unique<MirrorUser>(Neighbours{.pool = pool,
                                                         .outbox = directory->outbox(),
                                                         .copies = copies,
                                                         .auth = auth,
                                                         .clerk = with_clerk ? &clerk : nullptr,
                                                         .metrics = mirror_metrics},
                                              [this](const jobs::Job& /*job*/) { return holds; });
    }

    // A job of the mirror's that is due, leased.
    std::optional<jobs::Job> claim() {
        jobs::JobQueue queue(pool, jobs::Lane::mirror);
        const std::array kinds{jobs::mirror_user};
        auto claimed = run(queue.claim("w1", 1, 15s, kinds));
        if (claimed.empty()) return std::nullopt;
        return std::move(claimed.front());
    }
    // Writes an end down as the worker does; what is put off stays so until pass_time().
    void record(const jobs::Job& job, const jobs::Outcome& end) {
        jobs::JobQueue queue(pool, jobs::Lane::mirror);
        if (const auto* done = std::get_if<jobs::Completed>(&end)) {
            EXPECT_TRUE(run(queue.complete(job, done->result_json)));
        } else if (const auto* retry = std::get_if<jobs::Retry>(&end)) {
            EXPECT_TRUE(run(
                queue.retry(job, std::chrono::hours(1000), retry->reason, retry->burns_attempt)));
        } else {
            EXPECT_TRUE(run(queue.bury(job, std::get<jobs::Failed>(end).reason)));
        }
    }
    // Works off the mirror's jobs that are due; "user_a created", … "later" or "failed".
    std::vector<std::string> work() {
        std::vector<std::string> ends;
        while (auto job = claim()) {
            const std::size_t before = auth.calls.size();
            const jobs::Outcome end = run(mirror->handle(*job));
            EXPECT_LE(auth.calls.size() - before, 8U) << "requests of one attempt";
            record(*job, end);
            ends.push_back(job->subject + " " + said(end));
        }
        return ends;
    }
    static std::string said(const jobs::Outcome& end) {
        if (const auto* retry = std::get_if<jobs::Retry>(&end)) {
            return retry->burns_attempt ? "again" : "later";
        }
        if (std::holds_alternative<jobs::Failed>(end)) return "failed";
        const std::string& result = std::get<jobs::Completed>(end).result_json;
        const std::size_t at = std::string_view(R"({"action":")").size();
        return result.substr(at, result.find('"', at) - at);
    }
    // All that is put off is due, and no write comes any more that began before.
    void pass_time() {
        sql("UPDATE rollcall.mirror_users SET unsure_until = now() - interval '1 second' "
            "WHERE unsure_until > now()");
        put_off_no_more();
    }
    void put_off_no_more() {
        sql("UPDATE public.job_queue SET run_at = now() - interval '1 second' "
            "WHERE status = 'PENDING'");
    }
    // A user as Clerk has them, in the table and mirrored.
    std::string is_mirrored(const Told& told) {
        tell(told);
        EXPECT_EQ(work(), std::vector{told.clerk_id + " created"});
        return auth_id_of(told.clerk_id);
    }
    std::string copy(const std::string& columns, std::string_view clerk_id = "user_a") const {
        return sql(fmt::format(
            "SELECT concat_ws('|', {}) FROM rollcall.mirror_users WHERE clerk_id = '{}'", columns,
            clerk_id));
    }
    // Why the mirror's job of that user was given up.
    std::string reason(std::string_view clerk_id = "user_a") const {
        return sql(
            fmt::format("SELECT error FROM public.job_queue WHERE job_type = 'MIRROR_USER' AND "
                        "subject = '{}' AND status = 'FAILED'",
                        clerk_id));
    }

    Copies copies{pool, std::chrono::hours(1)};
    supabase::FakeAuth auth;
    clerk::FakeClerk clerk;
    Metrics mirror_metrics{metrics};
    bool holds = true;  // the lease of the job that runs
    std::unique_ptr<MirrorUser> mirror;
};

}  // namespace rollcall::mirror
