// The simulated Backend API: /v1/… requests to answers. The key is checked first (even an unknown
// path is 401 without it), then the API version, then the faults have their say, then the route.
// Every answer is JSON with the content type exactly `application/json`, because Clerk's own SDK
// hands back strings for anything else. Beside it the one route of the Frontend API that servers
// ask: the key set, without a key.
#pragma once

#include "http/message.hpp"
#include "sim/clerk_handlers.hpp"
#include "sim/clerk_instance.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::sim {

class ClerkApi {
public:
    // Of the Frontend API.
    static constexpr std::string_view frontend_jwks = "/.well-known/jwks.json";

    // `clerk` must outlive this.
    explicit ClerkApi(ClerkInstance& clerk) : clerk_(clerk) {}

    // To be asked once for each request, before answer().
    [[nodiscard]] FaultyWait wait_before(const http::Request& request);
    [[nodiscard]] http::Response answer(const http::Request& request);

private:
    [[nodiscard]] std::optional<ClerkError> refuse(const http::Request& request) const;
    [[nodiscard]] std::optional<http::Response> faulty_answer();
    [[nodiscard]] http::Response jwks_answer();
    [[nodiscard]] ClerkReply dispatch(const http::Request& request);
    [[nodiscard]] http::Response refusal(const ClerkError& error);

    ClerkInstance& clerk_;
};

}  // namespace rollcall::sim
