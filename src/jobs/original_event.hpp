// The bytes of the event that a job is of, as the column `original_event` keeps them.
#pragma once

#include <optional>
#include <string>

namespace rollcall::jobs {

// Those that no text column takes are kept in base64. Nothing when there are none, or when they are
// not what they say.
[[nodiscard]] std::optional<std::string> exact_bytes(const std::optional<std::string>& stored);

}  // namespace rollcall::jobs
