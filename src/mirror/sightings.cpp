#include "mirror/sightings.hpp"

#include "base/log.hpp"
#include "mirror/sql.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace rollcall::mirror {
namespace {

using supabase::AuthFault;
using supabase::AuthUser;

constexpr std::string_view before_all = "00000000-0000-0000-0000-000000000000";
// A list that is short of somebody is walked once more: users that are removed meanwhile move the
// others forward, past the pages that are still to come.
constexpr int walks_max = 2;
// Pages beyond what there should be, for who is added meanwhile.
constexpr std::int64_t pages_more = 10;
// Somebody comes or goes between the two counts.
constexpr int counts_max = 3;

pg::Params of_run(std::int64_t run, std::span<const std::string> ids) {
    const std::vector<std::optional<std::string_view>> views(ids.begin(), ids.end());
    pg::Params params;
    params.bigint(run).text_array(views);
    return params;
}

// What no text of PostgreSQL's can hold.
std::string storable(std::string text) {
    std::erase(text, '\0');
    return text;
}

void not_by_sql(std::string_view reason) {
    log::info("mirror_auth_users_not_read", {{"reason", reason}});
}

}  // namespace

Error error_of(const supabase::AuthError& error) {
    const ErrorCode code = error.fault == AuthFault::key_refused ? ErrorCode::bad_configuration
                                                                 : ErrorCode::unavailable;
    return {code, error.message};
}

Sightings::Sightings(pg::Pool& pool, supabase::AuthApi& auth, std::int64_t run,
                     std::function<Result<void>()> goes_on, SightingsConfig config)
    : pool_(pool), auth_(auth), run_(run), goes_on_(std::move(goes_on)), config_(config) {}

Task<Result<void>> Sightings::look() {
    const auto readable = co_await pool_.execute(sql::auth_users_readable);
    if (readable.boolean(0, 0)) {
        const auto same = co_await is_this_auths();
        if (!same) co_return std::unexpected(same.error());
        by_sql_ = *same;
    }
    Result<void> seen;
    if (by_sql_) {
        seen = co_await look_at_table();
    } else {
        seen = co_await look_at_pages();
    }
    if (seen) co_await pool_.execute(sql::weigh_seen);
    co_return seen;
}

// An auth.users may be a copy, or another project's. This Auth knows as many users, and the newest.
Task<Result<bool>> Sightings::is_this_auths() {
    for (int counted = 0; counted < counts_max; ++counted) {
        const auto page = co_await auth_.page(1, 1);
        if (!page) co_return std::unexpected(error_of(page.error()));
        const auto table = co_await pool_.execute(sql::auth_users_newest);
        if (page->total != table.bigint(0, table.column("total"))) continue;
        const std::string newest(table.text(0, table.column("id")));
        if (newest.empty()) co_return true;
        const auto user = co_await auth_.get(newest);
        if (!user) co_return std::unexpected(error_of(user.error()));
        if (*user && (*user)->email == table.text(0, table.column("email"))) co_return true;
        not_by_sql("the newest user of auth.users is not Supabase Auth's");
        co_return false;
    }
    not_by_sql("auth.users has not as many users as Supabase Auth");
    co_return false;
}

Task<Result<void>> Sightings::look_at_table() {
    std::string after(before_all);
    while (true) {
        if (auto on = goes_on_(); !on) co_return on;
        pg::Params params;
        params.bigint(run_).text(after).integer(config_.table_users);
        const auto last = co_await pool_.execute(sql::see_table, params);
        if (last.empty()) co_return Result<void>();
        after = last.text(0, 0);
    }
}

Task<Result<void>> Sightings::look_at_pages() {
    std::int64_t seen = 0;
    std::int64_t total = 0;
    for (int walks = 0; walks < walks_max; ++walks) {
        const auto listed = co_await walk();
        if (!listed) co_return std::unexpected(listed.error());
        total = *listed;
        const auto counted = co_await pool_.execute(sql::count_seen, pg::Params().bigint(run_));
        seen = counted.bigint(0, 0);
        if (seen >= total) co_return Result<void>();
    }
    co_return fail(ErrorCode::internal,
                   "Supabase Auth's list is not whole: " + std::to_string(seen) + " of " +
                       std::to_string(total) + " users");
}

// How many users there are, by the last page.
Task<Result<std::int64_t>> Sightings::walk() {
    for (int number = 1;; ++number) {
        if (auto on = goes_on_(); !on) co_return std::unexpected(on.error());
        const auto page = co_await auth_.page(number, config_.page_users);
        if (!page) co_return std::unexpected(error_of(page.error()));
        if (!page->total) {
            co_return fail(ErrorCode::internal, "Supabase Auth does not say how many users it has");
        }
        co_await note(page->users);
        if (page->last) co_return *page->total;
        if (number > *page->total / config_.page_users + pages_more) {
            co_return fail(ErrorCode::internal, "Supabase Auth's list does not end");
        }
    }
}

Task<> Sightings::note(std::span<const AuthUser> users) {
    if (users.empty()) co_return;
    std::vector<std::string> texts;  // what the views below refer to
    texts.reserve(users.size() * 4);
    std::vector<std::optional<std::string_view>> ids;
    std::vector<std::optional<std::string_view>> clerk_ids;
    std::vector<std::optional<std::string_view>> emails;
    std::vector<std::optional<std::string_view>> names;
    std::vector<std::optional<std::string_view>> roles;
    std::vector<std::optional<bool>> confirmed;
    std::vector<std::optional<std::string_view>> banned_until;
    std::vector<std::optional<bool>> soft_deleted;
    for (const AuthUser& user : users) {
        ids.emplace_back(user.id);
        clerk_ids.emplace_back(texts.emplace_back(storable(user.clerk_id)));
        emails.emplace_back(texts.emplace_back(storable(user.email)));
        names.emplace_back(texts.emplace_back(storable(user.full_name)));
        roles.emplace_back(texts.emplace_back(storable(user.role)));
        confirmed.emplace_back(user.email_confirmed);
        banned_until.emplace_back(user.banned_until);
        soft_deleted.emplace_back(user.soft_deleted);
    }
    pg::Params params;
    params.bigint(run_).text_array(ids).text_array(clerk_ids).text_array(emails).text_array(names);
    params.text_array(roles).boolean_array(confirmed).text_array(banned_until);
    co_await pool_.execute(sql::see_users, params.boolean_array(soft_deleted));
}

Task<Result<void>> Sightings::look_again(std::span<const std::string> auth_ids) {
    if (!by_sql_) {
        const int left = config_.second_looks_max - second_looks_;
        auth_ids = auth_ids.first(std::min(auth_ids.size(), static_cast<std::size_t>(left)));
        second_looks_ += static_cast<int>(auth_ids.size());
    }
    if (auth_ids.empty()) co_return Result<void>();
    if (by_sql_) {
        std::vector<pg::Pool::Step> steps;
        steps.push_back({&sql::unsee, of_run(run_, auth_ids)});
        steps.push_back({&sql::see_some, of_run(run_, auth_ids)});
        co_await pool_.execute_together(std::move(steps));
        co_return Result<void>();
    }
    std::vector<AuthUser> there;
    for (const std::string& id : auth_ids) {
        if (auto on = goes_on_(); !on) co_return on;
        auto user = co_await auth_.get(id);
        if (!user) co_return std::unexpected(error_of(user.error()));
        if (*user) there.push_back(**std::move(user));
    }
    co_await pool_.execute(sql::unsee, of_run(run_, auth_ids));
    co_await note(there);
    co_return Result<void>();
}

Task<> Sightings::forget() {
    co_await pool_.execute(sql::forget_seen, pg::Params().bigint(run_));
}

}  // namespace rollcall::mirror
