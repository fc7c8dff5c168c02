// The trace that a job belongs to.
#pragma once

#include "base/trace.hpp"
#include "jobs/job.hpp"

namespace rollcall::jobs {

// What the row says. Without that it is the trace of what the job came of: of the delivery, by its
// message id; or, of a job that no delivery caused, one of its own.
[[nodiscard]] TraceContext trace_of(const Job& job);

}  // namespace rollcall::jobs
