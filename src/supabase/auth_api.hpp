// Supabase Auth's admin API, the calls that rollcall makes. The interface is virtual so that tests
// of what uses it need no HTTP. No call throws Unavailable but when it is cancelled; none repeats
// itself: its caller is a job that will be run again.
#pragma once

#include "base/task.hpp"
#include "supabase/auth_error.hpp"
#include "supabase/auth_user.hpp"

#include <optional>
#include <string>

namespace rollcall::supabase {

class AuthApi {
public:
    virtual ~AuthApi() = default;

    // With an id of the caller's. Auth does not look whether the id is taken: see AuthFault::taken
    // and AuthFault::opaque; get() tells.
    virtual Task<AuthResult<AuthUser>> create(std::string id, AuthChange change) = 0;
    // Nothing when Auth says that there is no such user.
    virtual Task<AuthResult<std::optional<AuthUser>>> get(std::string id) = 0;
    virtual Task<AuthResult<AuthUser>> update(std::string id, AuthChange change) = 0;
    // The address alone.
    virtual Task<AuthResult<AuthUser>> set_email(std::string id, std::string email) = 0;
    // The password alone, which also ends the user's sessions and makes void whatever code or link
    // was sent to them.
    virtual Task<AuthResult<AuthUser>> set_password(std::string id, std::string password) = 0;
    // For good. A user who is gone already is removed.
    virtual Task<AuthResult<void>> remove(std::string id) = 0;
    // Who has the address, in whatever case, and keeps others from it. However many others Auth's
    // filter lets through, all of them are looked at, up to a bound (then opaque).
    virtual Task<AuthResult<std::optional<AuthUser>>> find(std::string email) = 0;
    // Page `number`, 1 first, oldest users first.
    virtual Task<AuthResult<AuthPage>> page(int number, int per_page) = 0;

    // How many of `wanted` calls may begin now: none while the circuit is open or Auth wants to be
    // left alone, one when that would be the probe.
    [[nodiscard]] virtual int room(int wanted) const = 0;
};

}  // namespace rollcall::supabase
