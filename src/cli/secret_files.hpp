// The files that secrets are read from, and who else may read them.
#pragma once

#include "cli/settings.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace rollcall::cli {

struct SecretFile {
    std::string path;
    std::string_view key;  // the setting
    bool open = false;     // others than the owner and the group may read it
};

// Also the configuration file, where a secret stands in it.
[[nodiscard]] std::vector<SecretFile> secret_files(const Settings& settings);

// Into the log, of each that is open.
void tell_open_files(const Settings& settings);

}  // namespace rollcall::cli
