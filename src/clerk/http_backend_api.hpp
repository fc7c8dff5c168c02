// The Backend API over HTTP. One object for each caller, over the channel that all share: it knows
// how long its caller is willing to wait and to what trace the caller belongs, and counts its
// requests. One event loop.
#pragma once

#include "base/json_document.hpp"
#include "clerk/api_channel.hpp"
#include "clerk/backend_api.hpp"

namespace rollcall::clerk {

class HttpBackendApi final : public BackendApi {
public:
    // `channel` must outlive this, and this its calls.
    explicit HttpBackendApi(ApiChannel& channel, Patience patience = prompt,
                            const TraceContext& trace = {});

    Task<Result<std::optional<User>>> get_user(std::string_view id) override;
    Task<Result<std::vector<User>>> list_users(UserQuery query) override;
    Task<Result<std::int64_t>> count_users(UserFilter filter) override;
    Task<Result<Instance>> instance() override;
    [[nodiscard]] std::int64_t requests() const override { return requests_; }

private:
    Task<ApiResult<http::Response>> get(std::string_view operation, std::string target);

    ApiChannel& channel_;
    Patience patience_;
    TraceContext trace_;
    std::int64_t requests_ = 0;
    JsonDocument page_;  // buffers for one page after the other
};

}  // namespace rollcall::clerk
