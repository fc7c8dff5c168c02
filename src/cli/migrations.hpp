// The numbered schema steps that the binary carries.
#pragma once

#include "base/embedded_file.hpp"

#include <span>

namespace rollcall::cli {

[[nodiscard]] std::span<const EmbeddedFile> migrations();

}  // namespace rollcall::cli
