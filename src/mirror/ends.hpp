// The ends of an attempt at a copy that is not done: why it comes again, and at whose expense.
#pragma once

#include "jobs/outcome.hpp"

#include <chrono>
#include <string>

namespace rollcall::mirror {

// Nobody's fault.
[[nodiscard]] jobs::Retry later(std::string reason);
// The user's own: others can be written.
[[nodiscard]] jobs::Retry again(std::string reason);
// An earlier write may still come within `wait`.
[[nodiscard]] jobs::Retry look_again(std::chrono::milliseconds wait);
[[nodiscard]] jobs::Retry lease_lost();

}  // namespace rollcall::mirror
