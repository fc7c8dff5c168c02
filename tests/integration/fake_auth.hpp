// A Supabase Auth in memory, with the quirks of the real one: ids and addresses that are taken, and
// answers that get lost.
#pragma once

#include "supabase/auth_api.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace rollcall::supabase {

class FakeAuth final : public AuthApi {
public:
    Task<AuthResult<AuthUser>> create(std::string id, AuthChange change) override {
        co_return carry_out("create", id, [=, this] { return created(id, change); });
    }
    Task<AuthResult<std::optional<AuthUser>>> get(std::string id) override {
        if (auto error = begin("get", id)) co_return std::unexpected(*error);
        const auto found = users.find(id);
        std::optional<AuthUser> out;
        if (found != users.end()) out = found->second;
        end("get");
        co_return out;
    }
    Task<AuthResult<AuthUser>> update(std::string id, AuthChange change) override {
        co_return carry_out("update", id, [=, this] { return updated(id, change); });
    }
    Task<AuthResult<AuthUser>> set_email(std::string id, std::string email) override {
        co_return carry_out("set_email", id, [=, this] { return addressed(id, email); });
    }
    Task<AuthResult<AuthUser>> set_password(std::string id, std::string password) override {
        co_return carry_out("set_password", id, [=, this]() -> AuthResult<AuthUser> {
            if (!users.contains(id)) return refuse(AuthFault::not_found);
            passwords[id] = password;
            return users[id];
        });
    }
    Task<AuthResult<void>> remove(std::string id) override {
        const auto removed = carry_out("remove", id, [=, this]() -> AuthResult<AuthUser> {
            users.erase(id);
            return AuthUser();
        });
        if (!removed) co_return std::unexpected(removed.error());
        co_return AuthResult<void>();
    }
    Task<AuthResult<std::optional<AuthUser>>> find(std::string email) override {
        if (auto error = begin("find", "")) co_return std::unexpected(*error);
        const AuthUser* const found = holder(email);
        if (found == nullptr) co_return std::nullopt;
        co_return *found;
    }
    Task<AuthResult<AuthPage>> page(int number, int per_page) override {
        if (auto error = begin("page", std::to_string(number))) co_return std::unexpected(*error);
        AuthPage out;
        int position = 0;
        for (const auto& [id, user] : users) {
            if (position++ / per_page != number - 1) continue;
            if (!left_out.contains(id)) out.users.push_back(user);
        }
        out.last = position <= number * per_page;
        if (counts) out.total = std::ssize(users);
        if (out.last) left_out.clear();
        end("page");
        co_return out;
    }
    [[nodiscard]] int room(int wanted) const override { return wanted; }

    // Somebody who is there without rollcall.
    AuthUser& has(const std::string& id, const std::string& email,
                  const std::string& clerk_id = "") {
        AuthUser& user = users[id];
        user.id = id;
        user.email = email;
        user.email_confirmed = !email.empty();
        user.clerk_id = clerk_id;
        return user;
    }
    // "email|name|role" and whether they are banned; "" when nobody has that id.
    [[nodiscard]] std::string user(const std::string& id) const {
        const auto found = users.find(id);
        if (found == users.end()) return "";
        const AuthUser& seen = found->second;
        return fmt::format("{}|{}|{}{}", seen.email.empty() ? seen.phone : seen.email,
                           seen.full_name, seen.role, seen.banned ? "|banned" : "");
    }
    static AuthError error(AuthFault fault) {
        return {.fault = fault, .message = fmt::format("Auth said {}", to_string(fault))};
    }

    std::map<std::string, AuthUser> users;
    std::map<std::string, std::string> passwords;  // by id; rollcall's own are in no list
    // Carries out what hung until now; what it comes to nobody hears.
    void catch_up() {
        for (const auto& act : std::exchange(hung_, {})) act();
    }

    std::vector<std::string> calls;                     // "create ID", …
    std::map<std::string, std::deque<AuthError>> next;  // instead of acting, by operation
    std::string loses;    // the next call of this operation acts, and its answer does not arrive
    std::string hangs;    // the next call of this operation is not answered: see catch_up()
    bool hidden = false;  // what is taken is not said
    std::set<std::string> left_out;  // of the list, until it has been walked once
    bool counts = true;              // the list says how many users there are
    std::function<void(const std::string& operation)> hook;   // before each call
    std::function<void(const std::string& operation)> after;  // once a page or user is read

private:
    std::optional<AuthError> begin(const std::string& operation, const std::string& id) {
        calls.push_back(id.empty() ? operation : operation + " " + id);
        if (hook) hook(operation);
        auto& queued = next[operation];
        if (queued.empty()) return std::nullopt;
        AuthError error = queued.front();
        queued.pop_front();
        return error;
    }
    void end(const std::string& operation) const {
        const auto told = after;  // which may set another
        if (told) told(operation);
    }
    AuthResult<AuthUser> carry_out(const std::string& operation, const std::string& id,
                                   const std::function<AuthResult<AuthUser>()>& act) {
        if (auto error = begin(operation, id)) return std::unexpected(*error);
        if (hangs == operation) {
            hangs.clear();
            hung_.push_back(act);
            return refuse(AuthFault::away);
        }
        auto done = act();
        if (!done || loses != operation) return done;
        loses.clear();
        return refuse(AuthFault::away);
    }
    AuthResult<AuthUser> created(const std::string& id, const AuthChange& change) {
        if (change.email && holder(*change.email)) return refuse(AuthFault::email_taken);
        if (change.phone && number(*change.phone)) return refuse(AuthFault::phone_taken);
        if (!change.email && !change.phone) return refuse(AuthFault::invalid);
        if (users.contains(id)) return refuse(hidden ? AuthFault::opaque : AuthFault::taken);
        users[id].id = id;
        return write(users[id], change);
    }
    AuthResult<AuthUser> updated(const std::string& id, const AuthChange& change) {
        if (!users.contains(id)) return refuse(AuthFault::not_found);
        if (change.email && taken(*change.email, id)) {
            return refuse(hidden ? AuthFault::opaque : AuthFault::taken);
        }
        return write(users[id], change);
    }
    AuthResult<AuthUser> addressed(const std::string& id, const std::string& email) {
        if (!users.contains(id)) return refuse(AuthFault::not_found);
        if (taken(email, id)) return refuse(hidden ? AuthFault::opaque : AuthFault::taken);
        users[id].email = lower(email);
        return users[id];
    }
    static std::unexpected<AuthError> refuse(AuthFault fault) {
        return std::unexpected(error(fault));
    }
    static std::string lower(std::string text) {
        std::ranges::transform(text, text.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        return text;
    }
    [[nodiscard]] const AuthUser* holder(const std::string& email) const {
        for (const auto& [id, user] : users) {
            if (user.email == lower(email)) return &user;
        }
        return nullptr;
    }
    [[nodiscard]] bool number(const std::string& phone) const {
        return std::ranges::any_of(users, [&](const auto& one) {
            return one.second.phone == phone.substr(phone.starts_with('+') ? 1 : 0);
        });
    }
    [[nodiscard]] bool taken(const std::string& email, const std::string& id) const {
        const AuthUser* const found = holder(email);
        return found != nullptr && found->id != id;
    }
    static AuthUser& write(AuthUser& user, const AuthChange& change) {
        user.clerk_id = change.clerk_id;
        user.role = change.role;
        user.full_name = change.name.value_or("");
        user.banned = change.banned;
        user.banned_until = change.banned ? "2126-01-01T00:00:00Z" : "";
        user.email_confirmed = user.email_confirmed || change.email;
        if (change.email) user.email = lower(*change.email);
        if (change.phone) user.phone = change.phone->substr(change.phone->starts_with('+') ? 1 : 0);
        return user;
    }

    std::vector<std::function<AuthResult<AuthUser>()>> hung_;
};

}  // namespace rollcall::supabase
