// The variables of the process, and which of them are rollcall's.
#pragma once

#include "base/result.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::cli {

using Environment = std::map<std::string, std::string, std::less<>>;

[[nodiscard]] Environment process_environment();

// ROLLCALL_SERVE_LISTEN for serve.listen.
[[nodiscard]] std::string environment_name(std::string_view key);

// bad_configuration for ROLLCALL_<SECTION>_<KEY> of a known section with a key that it does not
// have: a misspelt setting would be left at its default without a word. Names the nearest one.
// Those that Kubernetes makes of a service's name (ROLLCALL_ADMIN_SERVICE_HOST,
// ROLLCALL_ADMIN_PORT_80_TCP) are nobody's settings.
[[nodiscard]] Result<void> check_names(const Environment& environment);

struct StrangeVariable {
    std::string name;
    std::string likely;  // the variable that was probably meant; "": none is like it
};

// The other names with the prefix that are no setting (ROLLCALL_ROLES). They may be another
// program's, so that they are told of and no more; in the order of their names.
[[nodiscard]] std::vector<StrangeVariable> strange_variables(const Environment& environment);

}  // namespace rollcall::cli
