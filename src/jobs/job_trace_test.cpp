#include "jobs/job_trace.hpp"

#include "crypto/trace_of.hpp"

#include <gtest/gtest.h>

namespace rollcall::jobs {
namespace {

Job job_of(std::string_view kind, std::string event_id, std::string trace) {
    Job job;
    job.id = "0197a000-0000-7000-8000-000000000001";
    job.kind = kind;
    job.event_id = std::move(event_id);
    job.trace = std::move(trace);
    return job;
}

TEST(JobTrace, IsWhatTheRowSays) {
    const std::string told = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (const std::string_view kind : own_kinds) {
        EXPECT_EQ(trace_of(job_of(kind, "msg_1", told)).to_header(), told) << kind;
    }
}

TEST(JobTrace, IsTheDeliverysWhereTheRowSaysNothingOfUse) {
    const TraceContext delivery = crypto::trace_of("msg_1");
    EXPECT_EQ(trace_of(job_of(user_created, "msg_1", "")), delivery);
    EXPECT_EQ(trace_of(job_of(unknown_event, "msg_1", "edited by hand")), delivery);
}

TEST(JobTrace, IsOneOfItsOwnWhereThereWasNoDelivery) {
    const Job mirror = job_of(mirror_user, "mirror:user_a", "");
    EXPECT_EQ(trace_of(mirror), crypto::trace_of(mirror.id));
    EXPECT_EQ(trace_of(job_of(refresh_user, "refresh:user_a:1", "")), crypto::trace_of(mirror.id));
    EXPECT_EQ(trace_of(job_of(user_updated, "", "")), crypto::trace_of(mirror.id));
}

}  // namespace
}  // namespace rollcall::jobs
