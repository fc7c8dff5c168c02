// Clerk's Backend API, the calls that rollcall makes. Version pinned by header. The interface is
// virtual so that tests of what uses it need no HTTP.
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "clerk/user.hpp"
#include "http/client.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::clerk {

inline constexpr std::string_view api_version = "2026-05-12";

class BackendApi {
public:
    virtual ~BackendApi() = default;
    // The user; nothing when Clerk answers 404 resource_not_found. A wrong key is unauthenticated;
    // any other answer, and a body that is not this User, is unavailable. An id that no Clerk
    // object can have is invalid_input. Throws Unavailable when there is no answer at all.
    virtual Task<Result<std::optional<User>>> get_user(std::string_view id) = 0;
};

struct BackendApiConfig {
    std::string url = "https://api.clerk.com";  // without /v1, as Clerk's own SDK takes it
    Secret secret_key;
    std::chrono::milliseconds timeout{10'000};
};

class HttpBackendApi final : public BackendApi {
public:
    // `client` must outlive this.
    HttpBackendApi(http::Client& client, BackendApiConfig config);
    Task<Result<std::optional<User>>> get_user(std::string_view id) override;

private:
    http::Client& client_;
    BackendApiConfig config_;
};

}  // namespace rollcall::clerk
