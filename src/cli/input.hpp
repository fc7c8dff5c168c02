// Reading what a command was given.
#pragma once

#include "base/result.hpp"

#include <string>

namespace rollcall::cli {

// The bytes of a file, or of standard input for "-"; invalid_input when they cannot be read or are
// more than 64 MiB.
[[nodiscard]] Result<std::string> read_input(const std::string& path);

// Of an option that is an http or https address: "", or why it is none, without repeating it, since
// it may hold a password. That a word is empty is said of any option.
[[nodiscard]] std::string check_url(const std::string& text);

}  // namespace rollcall::cli
