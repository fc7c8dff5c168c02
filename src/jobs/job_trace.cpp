#include "jobs/job_trace.hpp"

#include "crypto/trace_of.hpp"

namespace rollcall::jobs {

TraceContext trace_of(const Job& job) {
    if (const auto told = parse_traceparent(job.trace)) return *told;
    // Of these the event id is rollcall's own, and the same for one job after the other.
    const bool delivered =
        !job.event_id.empty() && job.kind != refresh_user && job.kind != mirror_user;
    return crypto::trace_of(delivered ? job.event_id : job.id);
}

}  // namespace rollcall::jobs
