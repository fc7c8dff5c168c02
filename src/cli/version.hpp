// What this binary is.
#pragma once

#include <string_view>

namespace rollcall::cli {

[[nodiscard]] std::string_view version();       // 0.1.0
[[nodiscard]] std::string_view commit();        // short hash, "unknown" outside a checkout
[[nodiscard]] std::string_view version_line();  // rollcall 0.1.0 (abc1234)

}  // namespace rollcall::cli
