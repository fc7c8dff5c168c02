#include "cli/defaults.hpp"

#include "cli/embedded_settings.hpp"

namespace rollcall::cli {

std::string_view default_settings() {
    return embedded_settings.front().text;
}

}  // namespace rollcall::cli
