// Supabase Auth's admin API over HTTP. Only an answer of 200 with the JSON that was asked for is a
// success; a user is the one whose id was asked for, or the answer is none of Auth's. One object
// for each caller that belongs to a trace, over the channel that all share.
#pragma once

#include "supabase/auth_api.hpp"
#include "supabase/auth_channel.hpp"

#include <string>
#include <string_view>

namespace rollcall::supabase {

class HttpAuthApi final : public AuthApi {
public:
    // `channel` must outlive this, and this its calls.
    explicit HttpAuthApi(AuthChannel& channel, const TraceContext& trace = {})
        : channel_(channel), trace_(trace) {}

    Task<AuthResult<AuthUser>> create(std::string id, AuthChange change) override;
    Task<AuthResult<std::optional<AuthUser>>> get(std::string id) override;
    Task<AuthResult<AuthUser>> update(std::string id, AuthChange change) override;
    Task<AuthResult<AuthUser>> set_email(std::string id, std::string email) override;
    Task<AuthResult<AuthUser>> set_password(std::string id, std::string password) override;
    Task<AuthResult<void>> remove(std::string id) override;
    Task<AuthResult<std::optional<AuthUser>>> find(std::string email) override;
    Task<AuthResult<AuthPage>> page(int number, int per_page) override;
    [[nodiscard]] int room(int wanted) const override { return channel_.room(wanted); }

private:
    Task<AuthResult<http::Response>> send(AuthRequest request);
    Task<AuthResult<AuthUser>> write(AuthRequest request, std::string_view id);
    Task<AuthResult<AuthPage>> list(AuthRequest request, int per_page);

    AuthChannel& channel_;
    TraceContext trace_;
};

}  // namespace rollcall::supabase
