// The trace of what brought none: the same for everybody who knows the name, and so linked over all
// that has to do with it, without anything being kept. rollcall.trace_of() is the same in SQL.
#pragma once

#include "base/trace.hpp"

#include <string_view>

namespace rollcall::crypto {

// `name` must be unique to what is traced: a svix id, the id of a job.
[[nodiscard]] TraceContext trace_of(std::string_view name);

}  // namespace rollcall::crypto
