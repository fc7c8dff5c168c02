// The simulated Supabase Auth: requests to answers. Hosted projects have it under /auth/v1 behind a
// gateway that checks the key; a bare server has neither. Then the faults have their say, then the
// route.
#pragma once

#include "http/message.hpp"
#include "sim/auth_instance.hpp"

#include <optional>
#include <string_view>

namespace rollcall::sim {

class AuthApi {
public:
    // `auth` must outlive this.
    explicit AuthApi(AuthInstance& auth) : auth_(auth) {}

    // To be asked once for each request, before answer().
    [[nodiscard]] FaultyWait wait_before(const http::Request& request);
    // The status http::hang_up where the connection is to be closed instead.
    [[nodiscard]] http::Response answer(const http::Request& request);
    // For a request that hung: nothing was done.
    [[nodiscard]] http::Response give_up(const http::Request& request);

private:
    struct Call {
        AuthOperation operation = AuthOperation::other;
        std::string_view id;    // of the path
        std::string_view path;  // below the prefix
        bool method_allowed = true;
        bool behind_gateway = false;  // the gateway knows no such path
    };

    [[nodiscard]] Call read(const http::Request& request) const;
    [[nodiscard]] std::optional<http::Response> refuse(const http::Request& request,
                                                       const Call& call) const;
    [[nodiscard]] std::optional<http::Response> faulty_answer(const http::Request& request,
                                                              const Call& call);
    [[nodiscard]] http::Response respond(const http::Request& request, const Call& call);
    [[nodiscard]] http::Response dispatch(const http::Request& request, const Call& call);
    void record(const http::Request& request, const Call& call, unsigned status);

    AuthInstance& auth_;
};

}  // namespace rollcall::sim
