// Asking Clerk about one user, where no answer is an answer too: what waits for it waits on.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "clerk/backend_api.hpp"

#include <optional>
#include <string>

namespace rollcall::sync {

// The user, or nothing when Clerk has said twice that there is none: a single 404 may be a replica
// that lags. An error when Clerk cannot be asked now, whatever the reason; `clerk` may be null.
Task<Result<std::optional<clerk::User>>> ask_clerk(clerk::BackendApi* clerk, std::string id);

}  // namespace rollcall::sync
