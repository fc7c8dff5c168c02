#include "sync/pass.hpp"

#include "base/log.hpp"
#include "base/timeout.hpp"
#include "sync/refusal.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace rollcall::sync {
namespace {

using directory::Outcome;

constexpr int attempts_at_once = 5;      // where others write the same rows
constexpr std::size_t rest_max = 1'000;  // users put off to the end
constexpr std::int64_t refused_max = 1'000;

std::string flag(bool value) {
    return value ? "true" : "false";
}

// What Clerk has for a field of a deviation.
std::optional<std::string> told(const directory::Snapshot& snapshot, std::string_view field) {
    if (field == "email") return snapshot.email;
    if (field == "name") return snapshot.name;
    if (field == "role") return snapshot.role;
    if (field == "banned") return flag(snapshot.banned);
    if (field == "locked") return flag(snapshot.locked);
    return std::nullopt;
}

Difference difference_of(const directory::Deviation& deviation, const directory::Read& read) {
    Difference out{
        .kind = deviation.present ? Difference::Kind::different : Difference::Kind::missing,
        .clerk_id = read.clerk_id,
        .fields = {}};
    const auto& snapshot = std::get<directory::Snapshot>(read.state);
    for (const auto& field : deviation.fields) {
        out.fields.push_back({.name = std::string(field.name),
                              .table = field.value,
                              .clerk = told(snapshot, field.name)});
    }
    return out;
}

Difference missing(const std::string& clerk_id) {
    return {.kind = Difference::Kind::missing, .clerk_id = clerk_id, .fields = {}};
}

std::vector<std::string> named_by(const Pass::Span& span, std::span<const directory::Read> reads) {
    std::vector<std::string> out(span.also.begin(), span.also.end());
    for (const directory::Read& read : reads) out.push_back(read.clerk_id);
    return out;
}

}  // namespace

Pass::Pass(Executor executor, Parts parts, RunSummary& summary, bool dry_run, Progress* progress)
    : parts_(parts),
      summary_(summary),
      dry_run_(dry_run),
      progress_(progress),
      interrupted_(executor, SteadyTimer::time_point::max()),
      requests_before_(parts.clerk.requests() - summary.requests) {}

void Pass::fail(RunFailure failure, std::string reason) {
    if (stopped()) return;
    summary_.failure = failure;
    summary_.error = std::move(reason);
}

void Pass::fail(const Error& error) {
    fail(failure_of(error.code), error.message);
}

void Pass::interrupt(std::string reason) {
    fail(RunFailure::interrupted, std::move(reason));
    interrupted_.expires_at(SteadyTimer::time_point::min());
}

template <class T>
Task<Result<T>> Pass::answer(Task<Result<T>> question) {
    auto given = co_await with_end(std::move(question), interrupted_);
    if (given) co_return std::move(*given);
    co_return rollcall::fail(ErrorCode::unavailable, "interrupted");
}

void Pass::report_progress() {
    summary_.requests = parts_.clerk.requests() - requests_before_;
    if (progress_ != nullptr) progress_->advanced(summary_, expected_);
}

void Pass::report(const Difference& difference) {
    if (progress_ != nullptr) progress_->differs(difference);
}

Task<> Pass::look_at_time() {
    known_time_ = std::max(known_time_, co_await directory::database_now(parts_.pool));
}

Task<Result<Page>> Pass::try_list(clerk::UserQuery query) {
    Page page{.users = {}, .asked_at = known_time_};
    auto users = co_await answer(parts_.clerk.list_users(std::move(query)));
    if (!users) co_return std::unexpected(users.error());
    ++summary_.pages;
    page.users = std::move(*users);
    co_return page;
}

Task<std::optional<Page>> Pass::list(clerk::UserQuery query) {
    auto page = co_await try_list(std::move(query));
    if (page) co_return std::move(*page);
    fail(page.error());
    co_return std::nullopt;
}

Task<std::optional<std::int64_t>> Pass::count(clerk::UserFilter filter) {
    const auto users = co_await answer(parts_.clerk.count_users(std::move(filter)));
    if (users) co_return *users;
    fail(users.error());
    co_return std::nullopt;
}

Task<Result<std::optional<clerk::User>>> Pass::get(const std::string& clerk_id,
                                                   SystemTime& asked_at) {
    co_await look_at_time();
    asked_at = known_time_;
    co_return co_await answer(parts_.clerk.get_user(clerk_id));
}

Task<std::optional<clerk::Instance>> Pass::instance() {
    auto instance = co_await answer(parts_.clerk.instance());
    if (instance) co_return std::move(*instance);
    fail(instance.error());
    co_return std::nullopt;
}

std::vector<Pass::Repair> Pass::judge(std::span<const clerk::User> users,
                                      std::span<const directory::Read> reads,
                                      const directory::Compared& compared) {
    std::vector<Repair> out;
    for (const directory::Deviation& deviation : compared.deviations) {
        const directory::Read& read = reads[deviation.position];
        const bool differs = !deviation.present || !deviation.fields.empty();
        if (differs) {
            ++(deviation.present ? summary_.found.stale : summary_.found.missing);
            if (progress_ != nullptr) report(difference_of(deviation, read));
        }
        if (!dry_run_) {
            out.push_back({users[deviation.position], read, deviation.newcomer});
        } else if (!differs) {
            ++summary_.unchanged;
        }
    }
    return out;
}

Task<> Pass::look_whether_blank() {
    blank_ = !dry_run_ && co_await parts_.directory.comparison().blank(parts_.pool);
}

Task<> Pass::tell_absences(const Span& span, directory::Absences absences,
                           std::vector<std::string> named) {
    while (!absences.clerk_ids.empty()) {
        co_await span.absent(std::move(absences.clerk_ids));
        if (!absences.rest || stopped()) break;
        absences =
            co_await parts_.directory.comparison().absent(parts_.pool, *absences.rest, named);
    }
}

// Whether nobody of `reads` was known; they have their rows then.
Task<bool> Pass::fill(std::span<const directory::Read> reads, const Span& span) {
    if (reads.empty() || !co_await add(reads)) co_return false;
    summary_.found.missing += std::ssize(reads);
    if (progress_ != nullptr) {
        for (const directory::Read& read : reads) report(missing(read.clerk_id));
    }
    std::vector<std::string> named = named_by(span, reads);
    auto absences = co_await parts_.directory.comparison().absent(parts_.pool, span.times, named);
    co_await tell_absences(span, std::move(absences), std::move(named));
    co_return true;
}

Task<> Pass::work_off(std::span<const clerk::User> users, SystemTime asked_at,
                      const std::optional<Span>& span) {
    std::vector<directory::Read> reads;
    reads.reserve(users.size());
    for (const clerk::User& user : users) {
        reads.push_back({.clerk_id = user.id,
                         .state = snapshot_of(user, parts_.directory.columns()),
                         .asked_at = asked_at});
    }
    if (blank_ && span && co_await fill(reads, *span)) co_return;
    auto compared = co_await parts_.directory.comparison().compare(
        parts_.pool, reads, span ? std::optional(span->times) : std::nullopt,
        span ? span->also : std::span<const std::string>());
    known_time_ = std::max(known_time_, compared.now);
    summary_.unchanged += std::ssize(users) - std::ssize(compared.deviations);
    if (span && !compared.absences.clerk_ids.empty()) {
        co_await tell_absences(*span, std::move(compared.absences), named_by(*span, reads));
    }
    co_await repair(judge(users, reads, compared));
}

void Pass::count(const directory::AppliedRead& applied) {
    if (applied.outcome == Outcome::deleted) {
        ++summary_.deleted;
    } else if (applied.restored) {
        ++summary_.restored;
    } else if (applied.created) {
        ++summary_.created;
    } else if (applied.outcome == Outcome::applied) {
        ++summary_.updated;
    } else {
        ++summary_.unchanged;
    }
}

void Pass::refuse(const std::string& clerk_id, const std::string& reason) {
    log::warn("user_refused_by_table", {{"clerk_user_id", clerk_id}, {"reason", reason}});
    if (refused_++ == 0) refusal_ = clerk_id + ": " + reason;
    if (refused_ == refused_max) {
        fail(RunFailure::refused_rows, "the users table takes too many users not: " + refusal_);
    }
}

// Whether the server took them; `rest` then has those that want handling alone.
Task<bool> Pass::apply(std::span<const directory::Read> reads, std::vector<std::size_t>& rest) {
    for (int attempt = 1;; ++attempt) {
        pg::Transaction tx = co_await parts_.directory.begin(parts_.pool);
        auto applied = co_await parts_.directory.apply(tx, reads);
        std::optional<pg::SqlError> refused;
        if (!applied) {
            refused = applied.error();
        } else if (const auto committed = co_await tx.try_commit(); !committed) {
            refused = committed.error();
        }
        if (refused) {
            if (sync::judge(*refused) == Refusal::again && attempt < attempts_at_once) continue;
            co_return false;
        }
        for (std::size_t i = 0; i < applied->size(); ++i) {
            const Outcome outcome = (*applied)[i].outcome;
            if (outcome == Outcome::conflict || outcome == Outcome::tie) {
                rest.push_back(i);
            } else if (std::holds_alternative<directory::Deletion>(reads[i].state)) {
                ++summary_.deleted;  // a living row of a user whose deletion was known, too
            } else {
                count((*applied)[i]);
            }
        }
        co_return true;
    }
}

// Whether they were still unknown and the table took them. Else nothing was done, and `apply` tells
// why.
Task<bool> Pass::add(std::span<const directory::Read> newcomers) {
    const auto added = co_await parts_.directory.add(parts_.pool, newcomers);
    if (!added) co_return false;
    known_time_ = std::max(known_time_, added->now);
    summary_.created += added->rows;
    summary_.unchanged += std::ssize(newcomers) - added->rows;
    co_return true;
}

Task<> Pass::repair(std::vector<Repair> repairs) {
    std::vector<directory::Read> newcomers;
    for (const Repair& repair : repairs) {
        if (repair.newcomer) newcomers.push_back(repair.read);
    }
    if (!newcomers.empty() && co_await add(newcomers)) {
        std::erase_if(repairs, [](const Repair& repair) { return repair.newcomer; });
    }
    if (repairs.empty()) co_return;
    std::vector<directory::Read> reads;
    reads.reserve(repairs.size());
    for (const Repair& repair : repairs) reads.push_back(repair.read);
    std::vector<std::size_t> rest;
    if (!co_await apply(reads, rest)) {
        rest.clear();
        for (std::size_t i = 0; i < repairs.size(); ++i) rest.push_back(i);
    }
    if (put_off_ && !rest.empty()) {
        std::vector<std::string> clerk_ids;
        clerk_ids.reserve(rest.size());
        for (const std::size_t index : rest) clerk_ids.push_back(repairs[index].read.clerk_id);
        co_await put_off_(std::move(clerk_ids));
    }
    for (const std::size_t index : rest) {
        if (rest_.size() < rest_max) {
            rest_.push_back(std::move(repairs[index]));
        } else {
            co_await settle(std::move(repairs[index]));
        }
    }
}

Task<> Pass::work_off_rest() {
    for (Repair& repair : std::exchange(rest_, {})) {
        if (stopped()) co_return;
        co_await settle(std::move(repair));
    }
}

Task<> Pass::settle(Repair repair) {
    const std::string clerk_id = repair.user.id;
    ClerkAnswer answer;
    answer.kind = ClerkAnswer::Kind::user;
    answer.asked_at = repair.read.asked_at;
    answer.user = std::move(repair.user);
    Refreshed refreshed = co_await parts_.refresh.settle(clerk_id, std::move(answer));
    if (std::holds_alternative<jobs::Retry>(refreshed.ending)) {
        // What the page said has been overtaken, or Clerk has to say more: from the beginning.
        refreshed = co_await parts_.refresh.refresh(clerk_id);
    }
    if (std::holds_alternative<jobs::Completed>(refreshed.ending)) {
        count(refreshed.applied);
    } else if (const auto* failed = std::get_if<jobs::Failed>(&refreshed.ending)) {
        refuse(clerk_id, failed->reason);
    } else {
        refuse(clerk_id, std::get<jobs::Retry>(refreshed.ending).reason);
    }
}

Task<std::vector<std::string>> Pass::remove(std::span<const std::string> clerk_ids,
                                            SystemTime asked_at) {
    std::vector<directory::Read> reads;
    for (const std::string& clerk_id : clerk_ids) {
        reads.push_back(
            {.clerk_id = clerk_id, .state = directory::Deletion{asked_at}, .asked_at = asked_at});
    }
    std::vector<std::string> overtaken;
    if (reads.empty()) co_return overtaken;
    std::vector<std::size_t> learned;
    if (co_await apply(reads, learned)) {
        for (const std::size_t index : learned) overtaken.push_back(clerk_ids[index]);
        co_return overtaken;
    }
    for (const directory::Read& read : reads) {
        if (stopped()) break;
        learned.clear();
        if (!co_await apply({&read, 1}, learned)) {
            refuse(read.clerk_id, "its row cannot be deleted");
        } else if (!learned.empty()) {
            overtaken.push_back(read.clerk_id);
        }
    }
    co_return overtaken;
}

}  // namespace rollcall::sync
