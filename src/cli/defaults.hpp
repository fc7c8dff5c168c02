// rollcall.toml as the binary carries it: the documentation of every key, and its default.
#pragma once

#include <string_view>

namespace rollcall::cli {

[[nodiscard]] std::string_view default_settings();

}  // namespace rollcall::cli
