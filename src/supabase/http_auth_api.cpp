#include "supabase/http_auth_api.hpp"

#include "base/ascii.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace rollcall::supabase {
namespace {

constexpr int found_per_page = 1'000;
constexpr int found_pages_max = 20;

std::string user_target(std::string_view id) {
    return "/users/" + std::string(id);
}

// ASCII only, as addresses are; Auth has them in lower case.
std::optional<std::int64_t> total_of(const http::Response& response) {
    const auto text = response.headers.get("X-Total-Count");
    if (!text) return std::nullopt;
    std::int64_t total = 0;
    const auto [stop, error] = std::from_chars(text->begin(), text->end(), total);
    if (error != std::errc() || stop != text->end() || total < 0) return std::nullopt;
    return total;
}

AuthResult<AuthUser> user_of(const http::Response& response, std::string_view id) {
    auto user = parse_auth_user(response.body);
    if (user && user->id == id) return *std::move(user);
    return std::unexpected(strange_answer("the user asked for"));
}

}  // namespace

Task<AuthResult<http::Response>> HttpAuthApi::send(AuthRequest request) {
    request.trace = trace_;
    co_return co_await channel_.send(std::move(request));
}

Task<AuthResult<AuthUser>> HttpAuthApi::write(AuthRequest request, std::string_view id) {
    const auto answer = co_await send(std::move(request));
    if (!answer) co_return std::unexpected(answer.error());
    co_return user_of(*answer, id);
}

Task<AuthResult<AuthUser>> HttpAuthApi::create(std::string id, AuthChange change) {
    co_return co_await write({.operation = "create_user",
                              .method = "POST",
                              .target = "/users",
                              .body = body_of(change, id)},
                             id);
}

Task<AuthResult<AuthUser>> HttpAuthApi::update(std::string id, AuthChange change) {
    co_return co_await write({.operation = "update_user",
                              .method = "PUT",
                              .target = user_target(id),
                              .body = body_of(change)},
                             id);
}

Task<AuthResult<AuthUser>> HttpAuthApi::set_email(std::string id, std::string email) {
    co_return co_await write({.operation = "update_user",
                              .method = "PUT",
                              .target = user_target(id),
                              .body = body_of_email(email)},
                             id);
}

Task<AuthResult<AuthUser>> HttpAuthApi::set_password(std::string id, std::string password) {
    co_return co_await write({.operation = "update_user",
                              .method = "PUT",
                              .target = user_target(id),
                              .body = body_of_password(password)},
                             id);
}

Task<AuthResult<std::optional<AuthUser>>> HttpAuthApi::get(std::string id) {
    const auto answer =
        co_await send({.operation = "get_user", .target = user_target(id), .body = ""});
    if (!answer) {
        if (answer.error().fault == AuthFault::not_found) co_return std::nullopt;
        co_return std::unexpected(answer.error());
    }
    auto user = user_of(*answer, id);
    if (!user) co_return std::unexpected(std::move(user.error()));
    co_return *std::move(user);
}

Task<AuthResult<void>> HttpAuthApi::remove(std::string id) {
    const auto answer = co_await send({.operation = "delete_user",
                                       .method = "DELETE",
                                       .target = user_target(id),
                                       .body = R"({"should_soft_delete":false})"});
    if (answer && !is_removal(answer->body)) {
        co_return std::unexpected(strange_answer("what Auth says of a removal"));
    }
    if (!answer && answer.error().fault != AuthFault::not_found) {
        co_return std::unexpected(answer.error());
    }
    co_return AuthResult<void>();
}

// Auth's filter is a LIKE whose wildcards are not escaped, and reads names too: what it lets
// through is compared here.
Task<AuthResult<std::optional<AuthUser>>> HttpAuthApi::find(std::string email) {
    std::string filter;
    append_percent_encoded(filter, to_lower(email));
    for (int number = 1; number <= found_pages_max; ++number) {
        auto page = co_await list(
            {.operation = "find_user",
             .target = "/users?page=" + std::to_string(number) +
                       "&per_page=" + std::to_string(found_per_page) + "&filter=" + filter,
             .body = ""},
            found_per_page);
        if (!page) co_return std::unexpected(std::move(page.error()));
        const auto found = std::ranges::find_if(page->users, [&](const AuthUser& user) {
            return !user.sso && same_but_for_case(user.email, email);
        });
        if (found != page->users.end()) co_return std::move(*found);
        if (page->last) co_return std::nullopt;
    }
    co_return std::unexpected(
        AuthError{.fault = AuthFault::opaque,
                  .message = "Supabase Auth lists too many users that resemble one address"});
}

Task<AuthResult<AuthPage>> HttpAuthApi::page(int number, int per_page) {
    co_return co_await list({.operation = "list_users",
                             .target = "/users?page=" + std::to_string(number) + "&per_page=" +
                                       std::to_string(per_page) + "&sort=created_at%20asc",
                             .body = ""},
                            per_page);
}

Task<AuthResult<AuthPage>> HttpAuthApi::list(AuthRequest request, int per_page) {
    const auto answer = co_await send(std::move(request));
    if (!answer) co_return std::unexpected(answer.error());
    auto users = parse_auth_users(answer->body);
    if (!users) co_return std::unexpected(strange_answer("a list of users"));
    AuthPage page;
    page.last = static_cast<int>(users->size()) < per_page;
    page.total = total_of(*answer);
    page.users = *std::move(users);
    co_return page;
}

}  // namespace rollcall::supabase
