// A Clerk that answers what it is told.
#pragma once

#include "base/task.hpp"
#include "clerk/backend_api.hpp"

#include <boost/asio/redirect_error.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rollcall::clerk {

// Holds the truth. `away`: nobody can be asked.
class FakeClerk final : public BackendApi {
public:
    Task<Result<std::optional<User>>> get_user(std::string_view id) override {
        ++asked[std::string(id)];
        if (hook) hook(std::string(id));
        if (patience != nullptr) {
            boost::system::error_code ignored;
            co_await patience->async_wait(asio::redirect_error(use_task, ignored));
        }
        if (throws) throw Unavailable("no route to Clerk");
        if (away) co_return fail(ErrorCode::unavailable, "503");
        const auto found = users.find(std::string(id));
        if (found == users.end()) co_return std::nullopt;
        co_return found->second;
    }
    Task<Result<std::vector<User>>> list_users(UserQuery /*query*/) override {
        throw Unavailable("this Clerk knows single users only");
    }
    Task<Result<std::int64_t>> count_users(UserFilter /*filter*/) override {
        throw Unavailable("this Clerk knows single users only");
    }
    Task<Result<Instance>> instance() override {
        if (instance_id.empty()) throw Unavailable("this Clerk does not say");
        co_return Instance{.id = instance_id, .environment_type = "development"};
    }
    [[nodiscard]] std::int64_t requests() const override {
        std::int64_t sum = 0;
        for (const auto& [id, times] : asked) sum += times;
        return sum;
    }

    void has(const std::string& id, std::int64_t version,
             std::optional<std::string> email = std::nullopt, bool verified = true) {
        User user;
        user.id = id;
        user.email = std::move(email);
        user.email_verified = verified;
        user.name = "Ann";
        user.updated_at_ms = version;
        users[id] = std::move(user);
    }

    std::string instance_id;  // "": no answer
    std::map<std::string, User> users;
    std::map<std::string, int> asked;
    std::function<void(const std::string& id)> hook;
    SteadyTimer* patience = nullptr;  // answers when this one ends
    bool away = false;
    bool throws = false;
};

}  // namespace rollcall::clerk
