// How this program says no. Three kinds of trouble, three channels:
//   a bug               ensure(): log and abort, in release too
//   the answer is no    Result<T>: the caller always looks
//   the world broke     throw Unavailable: only pg/ and http/ throw it, and only three seams catch
//                       it (an HTTP handler -> 503, a worker -> retry, a periodic loop -> next
//                       tick)
#pragma once

#include <cstdint>
#include <expected>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace rollcall {

enum class ErrorCode : std::uint8_t {
    invalid_input,      // what was given can never work; do not repeat it
    bad_configuration,  // a setting is missing, malformed or contradicts another
    unauthenticated,    // no proof of identity, or a wrong one
    forbidden,          // known caller, not allowed
    not_found,
    conflict,      // somebody else's state stands in the way
    rate_limited,  // try later, when told
    unavailable,   // a neighbour is away or too slow; the same call may work later
    internal,      // unexpected; a person should look
};

// Stable lower-case name, for logs and JSON.
[[nodiscard]] std::string_view to_string(ErrorCode code);
// The HTTP status that stands for `code`.
[[nodiscard]] unsigned http_status(ErrorCode code);
// Whether the same call may succeed later without anything else changing.
[[nodiscard]] bool retryable(ErrorCode code);

// `message` says what, where and what to do; it never holds a secret or personal data.
struct Error {
    ErrorCode code = ErrorCode::internal;
    std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
    return std::unexpected(Error{code, std::move(message)});
}

// A neighbour (database, upstream) is away, refused, or took longer than its limit.
class Unavailable : public std::runtime_error {
public:
    explicit Unavailable(const std::string& message) : std::runtime_error(message) {}
};

// Logs `what` with the place and aborts.
[[noreturn]] void bug(std::string_view what, const std::source_location& where);

// Aborts with `what` and the place unless `condition` holds. For bugs only.
inline void ensure(bool condition, std::string_view what,
                   const std::source_location& where = std::source_location::current()) {
    if (!condition) [[unlikely]] {
        bug(what, where);
    }
}

}  // namespace rollcall
