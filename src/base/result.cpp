#include "base/result.hpp"

#include "base/log.hpp"

#include <cstdlib>

namespace rollcall {
namespace {

struct CodeRow {
    std::string_view name;
    unsigned status;
    bool retryable;
};

CodeRow row(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_input:
            return {"invalid_input", 400, false};
        case ErrorCode::bad_configuration:
            return {"bad_configuration", 500, false};
        case ErrorCode::unauthenticated:
            return {"unauthenticated", 401, false};
        case ErrorCode::forbidden:
            return {"forbidden", 403, false};
        case ErrorCode::not_found:
            return {"not_found", 404, false};
        case ErrorCode::conflict:
            return {"conflict", 409, false};
        case ErrorCode::rate_limited:
            return {"rate_limited", 429, true};
        case ErrorCode::unavailable:
            return {"unavailable", 503, true};
        case ErrorCode::internal:
            return {"internal", 500, false};
    }
    bug("unknown error code", std::source_location::current());
}

}  // namespace

std::string_view to_string(ErrorCode code) {
    return row(code).name;
}

unsigned http_status(ErrorCode code) {
    return row(code).status;
}

bool retryable(ErrorCode code) {
    return row(code).retryable;
}

void bug(std::string_view what, const std::source_location& where) {
    log::error("bug", {{"what", what},
                       {"file", where.file_name()},
                       {"line", where.line()},
                       {"function", where.function_name()}});
    std::abort();
}

}  // namespace rollcall
