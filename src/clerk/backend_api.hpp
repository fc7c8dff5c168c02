// Clerk's Backend API, the calls that rollcall makes. The interface is virtual so that tests of
// what uses it need no HTTP.
//
// Every call fails in one of these ways; the message has Clerk's code and trace id, and never what
// Clerk's texts quote:
//   unavailable      no answer, a fault of Clerk's, or an answer that is none of Clerk's; later
//   rate_limited     the quota leaves no room within the caller's patience; later
//   unauthenticated  the secret key is wrong
//   forbidden        the key may not do this
//   internal         Clerk does not take the request: a person should look
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "clerk/user.hpp"
#include "clerk/user_query.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::clerk {

// What a secret key opens. Two keys of one instance have the same id.
struct Instance {
    std::string id;                // ins_…
    std::string environment_type;  // production, development, …
};

class BackendApi {
public:
    virtual ~BackendApi() = default;

    // The user; nothing when Clerk answers 404 resource_not_found. An id that no Clerk object can
    // have is invalid_input, and nothing is asked.
    virtual Task<Result<std::optional<User>>> get_user(std::string_view id) = 0;

    // One page, in the order asked for; shorter than the limit when it is the last. Whole or not at
    // all: one element that is no usable User makes the page unavailable, for leaving it out would
    // look like a deletion. conflict: Clerk does not take `starting_after`, the user is gone.
    virtual Task<Result<std::vector<User>>> list_users(UserQuery query) = 0;

    // How many there are, of those that the filter lets through.
    virtual Task<Result<std::int64_t>> count_users(UserFilter filter) = 0;

    virtual Task<Result<Instance>> instance() = 0;

    // Requests sent through this object so far, repeated ones included.
    [[nodiscard]] virtual std::int64_t requests() const = 0;
};

}  // namespace rollcall::clerk
