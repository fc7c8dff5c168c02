// What the tests of polling share: a Clerk that lists its users as the real one does, with switches
// and hooks to make it behave badly, and a reconciler over a database of its own.
#pragma once

#include "base/random.hpp"
#include "clerk/backend_api.hpp"
#include "directory_fixture.hpp"
#include "sync/reconciler.hpp"
#include "sync/refresh.hpp"
#include "sync/user_lookup.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rollcall::sync {

// Holds the truth. Every answer waits a turn of the event loop, so that requests mix.
class ListedClerk final : public clerk::BackendApi {
public:
    using Users = std::vector<clerk::User>;

    Task<Result<std::optional<clerk::User>>> get_user(std::string_view id) override {
        const std::string clerk_id(id);
        co_await turn();
        ++asked[clerk_id];
        if (on_get) {
            if (auto error = on_get(clerk_id)) co_return std::unexpected(*error);
        }
        const auto found = users.find(clerk_id);
        if (found == users.end()) co_return std::nullopt;
        co_return found->second;
    }

    Task<Result<Users>> list_users(clerk::UserQuery query) override {
        co_await turn();
        if (before_list) before_list(query);
        Users all = matching(query.filter);
        sort(all, query.order);
        if (!query.starting_after.empty() && !cut(all, query)) {
            co_return fail(ErrorCode::conflict, "422: no such cursor");
        }
        all.erase(all.begin(), all.begin() + std::min(std::ssize(all), ssize(query)));
        if (all.size() > query.limit) all.resize(query.limit);
        if (on_list) {
            if (auto error = on_list(query, all)) co_return std::unexpected(*error);
        }
        co_return all;
    }

    Task<Result<std::int64_t>> count_users(clerk::UserFilter filter) override {
        co_await turn();
        if (on_count) co_return on_count(std::ssize(matching(filter)));
        co_return std::ssize(matching(filter));
    }

    Task<Result<clerk::Instance>> instance() override {
        ++asked_instance;
        co_await turn();
        co_return clerk::Instance{.id = instance_id, .environment_type = "development"};
    }

    [[nodiscard]] std::int64_t requests() const override { return requests_; }

    clerk::User& add(const std::string& id, std::int64_t created_ms) {
        clerk::User user;
        user.id = id;
        user.email = id + "@example.com";
        user.email_verified = true;
        user.name = "Ann " + id;
        user.created_at_ms = created_ms;
        user.updated_at_ms = ++clock_ms;
        keys_[id] = created_ms;
        return users[id] = std::move(user);
    }
    void rename(const std::string& id, std::string name) {
        users[id].name = std::move(name);
        users[id].updated_at_ms = ++clock_ms;
    }

    std::map<std::string, clerk::User> users;
    std::map<std::string, int> asked;
    int asked_instance = 0;
    std::string instance_id = "ins_one";
    std::int64_t clock_ms = 1'700'000'000'000;      // of updated_at
    Duration pause = std::chrono::microseconds(1);  // before each answer
    bool strict_bounds = true;
    bool refuses_deleted_cursor = false;
    std::function<void(const clerk::UserQuery&)> before_list;
    std::function<std::optional<Error>(const clerk::UserQuery&, Users&)> on_list;
    std::function<std::optional<Error>(const std::string&)> on_get;
    std::function<Result<std::int64_t>(std::int64_t)> on_count;

private:
    static std::ptrdiff_t ssize(const clerk::UserQuery& query) {
        return static_cast<std::ptrdiff_t>(query.offset);
    }
    Task<> turn() {
        ++requests_;
        co_await sleep(pause);
    }

    Users matching(const clerk::UserFilter& filter) const {
        Users out;
        const std::int64_t slack = strict_bounds ? 0 : 1;
        for (const auto& [id, user] : users) {
            const std::int64_t at = user.created_at_ms;
            if (filter.created_after_ms && at + slack <= *filter.created_after_ms) continue;
            if (filter.created_before_ms && at - slack >= *filter.created_before_ms) continue;
            if (!filter.ids.empty() && std::ranges::find(filter.ids, id) == filter.ids.end()) {
                continue;
            }
            out.push_back(user);
        }
        return out;
    }
    static void sort(Users& all, clerk::UserOrder order) {
        const bool updated =
            order == clerk::UserOrder::updated || order == clerk::UserOrder::updated_newest;
        std::ranges::sort(all, {}, [&](const clerk::User& user) {
            return std::pair(updated ? user.updated_at_ms : user.created_at_ms, user.id);
        });
        if (order == clerk::UserOrder::created_newest ||
            order == clerk::UserOrder::updated_newest) {
            std::ranges::reverse(all);
        }
    }
    // Leaves what comes after the cursor.
    bool cut(Users& all, const clerk::UserQuery& query) const {
        if (refuses_deleted_cursor && !users.contains(query.starting_after)) return false;
        const std::pair cursor(keys_.at(query.starting_after), query.starting_after);
        std::erase_if(all, [&](const clerk::User& user) {
            return std::pair(user.created_at_ms, user.id) <= cursor;
        });
        return true;
    }

    std::map<std::string, std::int64_t> keys_;
    std::int64_t requests_ = 0;
};

// A way of one's own to a Clerk that others ask too: it counts the requests that go through it.
class OwnWay final : public clerk::BackendApi {
public:
    explicit OwnWay(clerk::BackendApi& clerk) : clerk_(clerk) {}
    Task<Result<std::optional<clerk::User>>> get_user(std::string_view id) override {
        ++requests_;
        co_return co_await clerk_.get_user(id);
    }
    Task<Result<std::vector<clerk::User>>> list_users(clerk::UserQuery query) override {
        ++requests_;
        co_return co_await clerk_.list_users(std::move(query));
    }
    Task<Result<std::int64_t>> count_users(clerk::UserFilter filter) override {
        ++requests_;
        co_return co_await clerk_.count_users(std::move(filter));
    }
    Task<Result<clerk::Instance>> instance() override {
        ++requests_;
        co_return co_await clerk_.instance();
    }
    [[nodiscard]] std::int64_t requests() const override { return requests_; }

private:
    clerk::BackendApi& clerk_;
    std::int64_t requests_ = 0;
};

class PollingTest : public directory::DirectoryTest {
protected:
    explicit PollingTest(directory::DirectoryConfig c = {}) : DirectoryTest(std::move(c)) {
        refresh = std::make_unique<Refresh>(pool, *directory, clerk);
        settings.page_users = 50;
        settings.workers = 3;
        settings.save_every = std::chrono::milliseconds(5);
        start();
    }
    void start() {
        reconciler = std::make_unique<Reconciler>(pool, *directory, clerk, *refresh, settings);
    }

    // `count` users, spread over time; every tenth shares its millisecond with the one before.
    void fill(int count, std::int64_t from_ms = 1'600'000'000'000) {
        for (int i = 0; i < count; ++i) {
            const std::int64_t at = from_ms + (i % 10 == 9 ? i - 1 : i) * 1'000LL;
            clerk.add(fmt::format("user_{:05}", i), at);
        }
    }

    RunSummary sync(RunRequest request, Progress* progress = nullptr) {
        const auto summary = run(reconciler->run(request, progress));
        if (!summary) throw std::runtime_error(summary.error().message);
        return *summary;
    }
    RunSummary full(Progress* progress = nullptr) {
        return sync({.mode = RunMode::full}, progress);
    }
    RunSummary incremental() { return sync({.mode = RunMode::incremental}); }

    // A way of its own to Clerk for one user.
    MakeLookup lookups() {
        return [this] {
            return std::make_unique<UserLookup>(pool, *directory, std::make_unique<OwnWay>(clerk),
                                                settings.guard);
        };
    }

    // What is alive, "id|email|name|role", as the table has it and as Clerk does.
    std::string table() const {
        return sql(
            "SELECT string_agg(concat_ws('|', clerk_id, email, name, role), E'\\n' "
            "ORDER BY clerk_id COLLATE \"C\") FROM users WHERE deleted_at IS NULL");
    }
    std::string truth() const {
        std::string out;
        for (const auto& [id, user] : clerk.users) {
            if (!out.empty()) out += '\n';
            out +=
                fmt::format("{}|{}|{}|user", id, user.email.value_or(""), user.name.value_or(""));
        }
        return out;
    }
    // Changes with every row that is written, deleted or locked.
    std::string rows_as_stored() const {
        std::string out;
        for (const char* name : {"public.users", "rollcall.ledger"}) {
            out +=
                sql(fmt::format("SELECT md5(string_agg(concat_ws(',', ctid, xmin, xmax), ';' "
                                "ORDER BY ctid)) FROM {}",
                                name));
        }
        return out;
    }
    std::string last_run(std::string_view columns) const {
        return sql(
            fmt::format("SELECT concat_ws(' ', {}) FROM rollcall.sync_runs "
                        "ORDER BY id DESC LIMIT 1",
                        columns));
    }

    ListedClerk clerk;
    ReconcilerConfig settings;
    std::unique_ptr<Refresh> refresh;
    std::unique_ptr<Reconciler> reconciler;
};

}  // namespace rollcall::sync
