// Several tasks at once, on the caller's event loop. Returns when all have ended, whatever became
// of each; then rethrows the first exception there was. For a handful: each costs a coroutine.
#pragma once

#include "base/task.hpp"

#include <vector>

namespace rollcall {

Task<> together(std::vector<Task<>> tasks);

}  // namespace rollcall
