#include "cli/version.hpp"

namespace rollcall::cli {

std::string_view version() {
    return ROLLCALL_VERSION;
}
std::string_view commit() {
    return ROLLCALL_COMMIT;
}
std::string_view version_line() {
    return "rollcall " ROLLCALL_VERSION " (" ROLLCALL_COMMIT ")";
}

}  // namespace rollcall::cli
