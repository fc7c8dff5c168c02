#include "sync/departures.hpp"

#include "base/log.hpp"
#include "sync/sql.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::sync {
namespace {

constexpr std::size_t kept_max = 100'000;  // in memory
constexpr std::size_t portion = clerk::filter_ids_max;
constexpr int looks_max = 3;  // at a user of whom events keep coming; then the next pass looks
constexpr std::string_view user_prefix = "user_";

std::vector<std::optional<std::string_view>> views(const std::vector<std::string>& texts) {
    return {texts.begin(), texts.end()};
}

}  // namespace

Departures::Departures(Pass& pass, DeletionGuard guard) : pass_(pass), guard_(guard) {}

Task<> Departures::add(std::vector<std::string> clerk_ids) {
    if (clerk_ids.empty()) co_return;
    if (!pass_.dry_run()) {
        pg::Params params;
        params.bigint(pass_.summary().run).text_array(views(clerk_ids));
        co_await pass_.parts().pool.execute(sql::add_absences, params);
        co_return;
    }
    if (kept_.size() + clerk_ids.size() > kept_max) {
        pass_.fail(RunFailure::inconsistent,
                   "more users than can be listed are not in Clerk's list");
        co_return;
    }
    for (std::string& clerk_id : clerk_ids) kept_.insert(std::move(clerk_id));
}

Task<> Departures::add_unplaced() {
    const auto& [pool, directory, clerk, refresh] = pass_.parts();
    const directory::Comparison& comparison = directory.comparison();
    std::vector<std::string> users = co_await comparison.unplaced(pool, "");
    while (!users.empty() && !pass_.stopped()) {
        const std::string last = users.back();
        co_await add(std::move(users));
        users = co_await comparison.unplaced(pool, last);
    }
    // Nobody is absent, so each living user of the ledger was seen, and has its row by now.
    const bool all_have_rows = pass_.refused() == 0 &&
                               (!pass_.dry_run() || pass_.summary().found.missing == 0) &&
                               co_await left() == 0;
    if (all_have_rows && co_await comparison.balanced(pool)) co_return;
    directory::Strangers rows = co_await comparison.strangers(pool, "");
    while (!rows.last_id.empty() && !pass_.stopped()) {
        co_await add(std::move(rows.clerk_ids));
        rows = co_await comparison.strangers(pool, rows.last_id);
    }
}

Task<std::vector<std::string>> Departures::some(std::string_view after) {
    if (pass_.dry_run()) {
        std::vector<std::string> out;
        for (auto at = kept_.upper_bound(after); at != kept_.end() && out.size() < portion; ++at) {
            out.push_back(*at);
        }
        co_return out;
    }
    const pg::Rows rows = co_await pass_.parts().pool.execute(
        sql::some_absences, pg::Params().bigint(pass_.summary().run).text(after));
    co_return rows.texts(0);
}

Task<> Departures::drop(const std::vector<std::string>& clerk_ids) {
    if (clerk_ids.empty()) co_return;
    if (pass_.dry_run()) {
        for (const std::string& clerk_id : clerk_ids) kept_.erase(clerk_id);
        co_return;
    }
    co_await pass_.parts().pool.execute(
        sql::drop_absences, pg::Params().bigint(pass_.summary().run).text_array(views(clerk_ids)));
}

Task<std::int64_t> Departures::left() {
    if (pass_.dry_run()) co_return std::ssize(kept_);
    const pg::Rows rows = co_await pass_.parts().pool.execute(
        sql::count_absences, pg::Params().bigint(pass_.summary().run));
    co_return rows.bigint(0, 0);
}

Task<> Departures::conclude() {
    co_await look_again();
    if (pass_.stopped()) co_return;
    const std::int64_t users = co_await left();
    pass_.summary().found.extra = users;
    if (users == 0) co_return;
    const auto& [pool, directory, clerk, refresh] = pass_.parts();
    const std::int64_t active =
        std::max(co_await directory.comparison().active(pool), pass_.summary().seen);
    if (guard_.holds(users, active)) {
        co_await hold(users);
    } else {
        co_await delete_all();
    }
}

// A hundred at a time: who is found was only late, or came back.
Task<> Departures::look_again() {
    std::string last;
    while (!pass_.stopped()) {
        const std::vector<std::string> ids = co_await some(last);
        if (ids.empty()) co_return;
        last = ids.back();
        std::vector<std::string> asked;
        std::ranges::copy_if(ids, std::back_inserter(asked),
                             [](const std::string& id) { return id.starts_with(user_prefix); });
        if (!asked.empty() && !co_await look_up(asked)) co_return;
    }
}

Task<bool> Departures::look_up(const std::vector<std::string>& clerk_ids) {
    co_await pass_.look_at_time();
    clerk::UserQuery query;
    query.filter.ids = clerk_ids;
    const auto page = co_await pass_.list(std::move(query));
    if (!page) co_return false;
    std::vector<std::string> found;
    for (const clerk::User& user : page->users) found.push_back(user.id);
    co_await pass_.work_off(page->users, page->asked_at);
    co_await drop(found);
    co_return true;
}

Task<> Departures::hold(std::int64_t users) {
    RunSummary& summary = pass_.summary();
    summary.held_deletes = users;
    if (pass_.dry_run()) {
        for (const std::string& clerk_id : kept_) {
            pass_.report({.kind = Difference::Kind::extra, .clerk_id = clerk_id, .fields = {}});
        }
        co_return;
    }
    log::error("deletions_held", {{"run", summary.run}, {"users", users}});
    co_await pass_.parts().pool.execute(sql::hold_absences, pg::Params().bigint(summary.run));
}

Task<> Departures::delete_all() {
    std::string last;
    while (!pass_.stopped()) {
        std::vector<std::string> ids = co_await some(last);
        if (ids.empty()) co_return;
        last = ids.back();
        for (int looks = 0; looks < looks_max && !ids.empty() && !pass_.stopped(); ++looks) {
            ids = co_await delete_gone(std::move(ids));
        }
    }
}

// Each by its own question: only that Clerk does not know this user counts. Returns those of whom
// an event was applied after the question: it may be of a user who had come back by then, or one
// that had waited. They are to be asked about again.
Task<std::vector<std::string>> Departures::delete_gone(std::vector<std::string> clerk_ids) {
    co_await pass_.look_at_time();
    const SystemTime first_asked = pass_.known_time();
    std::vector<std::string> gone;
    for (const std::string& clerk_id : clerk_ids) {
        SystemTime asked_at;
        const auto user = co_await pass_.get(clerk_id, asked_at);
        if (user && *user) {
            --pass_.summary().found.extra;
            co_await pass_.work_off({&**user, 1}, asked_at);
        } else if (user) {
            gone.push_back(clerk_id);
        } else if (user.error().code == ErrorCode::invalid_input) {
            // No id of Clerk's: nothing that can be asked, so nothing to conclude from.
            --pass_.summary().found.extra;
            log::warn("row_with_unusable_clerk_id", {{"run", pass_.summary().run}});
        } else {
            pass_.fail(user.error());
            break;
        }
    }
    std::vector<std::string> overtaken;
    if (!pass_.dry_run()) overtaken = co_await pass_.remove(gone, first_asked);
    for (const std::string& clerk_id : gone) {
        if (std::ranges::find(overtaken, clerk_id) != overtaken.end()) continue;
        pass_.report({.kind = Difference::Kind::extra, .clerk_id = clerk_id, .fields = {}});
    }
    co_return overtaken;
}

}  // namespace rollcall::sync
