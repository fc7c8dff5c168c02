// Who runs a command, as the audit log is told.
#pragma once

#include "base/actor.hpp"

namespace rollcall::cli {

// The user of this process; of sudo who called it.
[[nodiscard]] Actor shell_actor();

}  // namespace rollcall::cli
