#include "cli/commands.hpp"

#include <fmt/format.h>
#include <cstdio>

namespace rollcall::cli {

int report(const Error& error) {
    fmt::print(stderr, "rollcall: {}\n", error.message);
    switch (error.code) {
        case ErrorCode::invalid_input:
            return exit_usage;
        case ErrorCode::bad_configuration:
            return exit_configuration;
        case ErrorCode::unavailable:
            return exit_unavailable;
        case ErrorCode::conflict:
        case ErrorCode::rate_limited:
            return exit_try_again;
        default:
            return exit_found;
    }
}

}  // namespace rollcall::cli
