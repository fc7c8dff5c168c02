// Reading what a command was given.
#pragma once

#include "base/result.hpp"

#include <string>

namespace rollcall::cli {

// The bytes of a file, or of standard input for "-"; invalid_input when they cannot be read or are
// more than 64 MiB.
[[nodiscard]] Result<std::string> read_input(const std::string& path);

}  // namespace rollcall::cli
