// The variables of the process, and which of them are rollcall's.
#pragma once

#include "base/result.hpp"

#include <map>
#include <string>
#include <string_view>

namespace rollcall::cli {

using Environment = std::map<std::string, std::string, std::less<>>;

[[nodiscard]] Environment process_environment();

// ROLLCALL_SERVE_LISTEN for serve.listen.
[[nodiscard]] std::string environment_name(std::string_view key);

// bad_configuration for ROLLCALL_<SECTION>_<KEY> of a known section with a key that it does not
// have: a misspelt setting would be left at its default without a word. Names the nearest one.
// Other names with the prefix may be another program's; those that Kubernetes makes of a service's
// name (ROLLCALL_ADMIN_SERVICE_HOST, ROLLCALL_ADMIN_PORT_80_TCP) are nobody's settings.
[[nodiscard]] Result<void> check_names(const Environment& environment);

}  // namespace rollcall::cli
