#include "mirror/compare.hpp"

#include "base/log.hpp"
#include "base/scoped_flag.hpp"
#include "jobs/work_loop.hpp"
#include "mirror/auth_id.hpp"
#include "mirror/copies.hpp"
#include "mirror/sql.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace rollcall::mirror {
namespace {

using directory::CopyFinding;
using directory::CopyJob;
using directory::RowFinding;

// Somebody is at the user, or has just been: not judged at all. Another look would come before the
// job's write, and its end after it.
bool is_under_way(CopyJob job) {
    return job == CopyJob::waiting || job == CopyJob::written;
}

// Whether another look may show that the copy is as it should, by now or all along.
bool is_doubtful(const RowFinding& finding) {
    return !finding.only_unnoted() && !is_under_way(finding.job);
}

bool is_to_arm(const RowFinding& finding) {
    return !finding.only_unnoted() && finding.job != CopyJob::cancelled &&
           finding.job != CopyJob::written;
}

// Differences that are logged one by one; of an Auth that is empty that would be everybody.
constexpr int told_max = 10;

bool is_extra(const CopyFinding& finding) {
    return finding.kind != CopyFinding::Kind::foreign;
}

bool is_to_go(const CopyFinding& finding) {
    return finding.kind == CopyFinding::Kind::deleted && finding.job == CopyJob::none;
}

}  // namespace

std::string_view to_string(CopyDifference::Kind kind) {
    constexpr std::array<std::string_view, 3> names{"missing", "different", "extra"};
    return names.at(static_cast<std::size_t>(kind));
}

// One comparison, under the lease.
class Compare::Attempt {
public:
    Attempt(Compare& compare, bool repairs, const Differs& differs)
        : compare_(compare),
          pool_(compare.neighbours_.pool),
          directory_(compare.neighbours_.directory),
          repairs_(repairs),
          differs_(differs),
          run_(compare.lease_.fence()),
          sightings_(
              pool_, compare.neighbours_.auth, run_, [this] { return goes_on(); },
              compare.config_.sightings) {}

    // Whatever ends it, also what the database throws, goes on record.
    Task<Result<CompareSummary>> run();

private:
    Task<> all(Result<void>& end);
    Task<Result<void>> go();
    [[nodiscard]] Result<void> goes_on() const;
    Task<Result<void>> rows();
    Task<Result<void>> judge(std::vector<RowFinding> findings);
    Task<Result<void>> copies();
    Task<Result<void>> judge(const std::vector<CopyFinding>& findings);
    Task<> guard();
    Task<Result<void>> remove();
    Task<bool> conclude();
    void count(const RowFinding& finding);
    void count(const CopyFinding& finding);
    void tell(CopyDifference difference);

    struct Note {
        std::string clerk_id;
        std::string auth_id;
    };
    Task<> note(const std::vector<Note>& notes);

    Compare& compare_;
    pg::Pool& pool_;
    directory::Directory& directory_;
    bool repairs_;
    const Differs& differs_;
    std::int64_t run_;
    Sightings sightings_;
    CompareSummary summary_;
    std::int64_t to_go_ = 0;
    int told_ = 0;
    std::int64_t allowed_ = 0;  // so many by a person
};

Result<void> Compare::Attempt::goes_on() const {
    if (compare_.interrupted_ || std::chrono::steady_clock::now() >= compare_.deadline_) {
        return fail(ErrorCode::unavailable, "interrupted");
    }
    if (!compare_.lease_.held()) return fail(ErrorCode::unavailable, "the lease was lost");
    return {};
}

Task<Result<CompareSummary>> Compare::Attempt::run() {
    Result<void> end;
    if (auto broken = co_await jobs::caught(all(end)); !broken) end = std::move(broken);
    co_await jobs::guarded("mirror_sightings_not_forgotten", sightings_.forget());
    if (end) co_return summary_;
    if (repairs_) {
        co_await jobs::guarded("mirror_failure_not_recorded",
                               compare_.record_.failed(run_, end.error().message));
    }
    co_return std::unexpected(std::move(end.error()));
}

Task<> Compare::Attempt::all(Result<void>& end) {
    co_await compare_.record_.begun();
    co_await sightings_.forget();
    end = co_await go();
    if (end && repairs_ && !co_await conclude()) {
        end = fail(ErrorCode::unavailable, "the lease was lost");
    }
}

Task<Result<void>> Compare::Attempt::go() {
    if (auto seen = co_await sightings_.look(); !seen) co_return seen;
    summary_.by_sql = sightings_.by_sql();
    if (auto done = co_await rows(); !done) co_return done;
    if (auto done = co_await copies(); !done) co_return done;
    summary_.skipped = (co_await Copies(pool_).counts()).skipped;
    co_await guard();
    if (repairs_ && to_go_ > 0 && summary_.held == 0) co_return co_await remove();
    co_return Result<void>();
}

Task<Result<void>> Compare::Attempt::rows() {
    std::string after;
    while (true) {
        if (auto on = goes_on(); !on) co_return on;
        auto portion =
            co_await directory_.copies().rows(pool_, run_, after, compare_.config_.portion);
        if (portion.last.empty()) co_return Result<void>();
        after = std::move(portion.last);
        if (portion.findings.empty()) continue;
        if (auto done = co_await judge(std::move(portion.findings)); !done) co_return done;
    }
}

Task<Result<void>> Compare::Attempt::judge(std::vector<RowFinding> findings) {
    std::vector<std::string> ids;
    std::vector<std::string> users;
    for (const RowFinding& one : findings) {
        if (!is_doubtful(one)) continue;
        if (!one.known_id.empty()) ids.push_back(one.known_id);
        if (!one.seen_id.empty() && one.seen_id != one.known_id) ids.push_back(one.seen_id);
        users.push_back(one.clerk_id);
    }
    if (!ids.empty()) {
        if (auto seen = co_await sightings_.look_again(ids); !seen) co_return seen;
        std::erase_if(findings, is_doubtful);
        std::ranges::move(co_await directory_.copies().rows_of(pool_, run_, users),
                          std::back_inserter(findings));
    }
    std::vector<std::string> armed;
    std::vector<Note> notes;
    for (const RowFinding& one : findings) {
        count(one);
        if (one.known_id.empty() && !one.seen_id.empty()) {
            notes.push_back({one.clerk_id, one.seen_id});
        }
        if (is_to_arm(one)) armed.push_back(one.clerk_id);
    }
    if (!repairs_) co_return Result<void>();
    co_await note(notes);
    if (!armed.empty()) co_await directory_.outbox().arm(pool_, armed);
    co_return Result<void>();
}

Task<Result<void>> Compare::Attempt::copies() {
    std::string after;
    while (true) {
        if (auto on = goes_on(); !on) co_return on;
        auto portion =
            co_await directory_.copies().copies(pool_, run_, after, compare_.config_.portion);
        if (portion.last.empty()) co_return Result<void>();
        after = std::move(portion.last);
        summary_.foreign += portion.unclaimed;
        if (auto done = co_await judge(portion.findings); !done) co_return done;
    }
}

Task<Result<void>> Compare::Attempt::judge(const std::vector<CopyFinding>& findings) {
    std::vector<std::string> ids;
    for (const CopyFinding& one : findings) {
        if (is_extra(one)) {
            ids.push_back(one.auth_id);
        } else {
            ++summary_.foreign;
        }
    }
    std::vector<CopyFinding> extra;
    // Twice: a job may end between a look and the rows that are read after it.
    for (int looks = 0; looks < 2 && !ids.empty(); ++looks) {
        if (auto seen = co_await sightings_.look_again(ids); !seen) co_return seen;
        extra = co_await directory_.copies().some_copies(pool_, run_, ids);
        std::erase_if(extra, [](const CopyFinding& one) { return !is_extra(one); });
        ids.clear();
        for (const CopyFinding& one : extra) ids.push_back(one.auth_id);
    }
    for (const CopyFinding& one : extra) count(one);
    co_return Result<void>();
}

Task<> Compare::Attempt::guard() {
    allowed_ = (co_await compare_.record_.last()).allowed;
    if (to_go_ <= allowed_) co_return;
    const std::int64_t living = co_await directory_.comparison().active(pool_);
    if (!compare_.config_.guard(to_go_, living)) co_return;
    summary_.held = to_go_;
    if (repairs_) log::warn("mirror_removals_held", {{"users", to_go_}});
}

Task<Result<void>> Compare::Attempt::remove() {
    std::string after;
    while (true) {
        if (auto on = goes_on(); !on) co_return on;
        auto portion =
            co_await directory_.copies().copies(pool_, run_, after, compare_.config_.portion);
        if (portion.last.empty()) co_return Result<void>();
        after = std::move(portion.last);
        std::vector<std::string> armed;
        std::vector<Note> notes;
        for (const CopyFinding& one : portion.findings) {
            if (!is_to_go(one)) continue;
            notes.push_back({one.clerk_id, one.auth_id});
            armed.push_back(one.clerk_id);
        }
        co_await note(notes);
        if (!armed.empty()) co_await directory_.outbox().arm(pool_, armed);
    }
}

// Whose copy that is was not known here: the jobs find it by the note.
Task<> Compare::Attempt::note(const std::vector<Note>& notes) {
    if (notes.empty()) co_return;
    std::vector<std::optional<std::string_view>> clerk_ids;
    std::vector<std::optional<std::string_view>> auth_ids;
    std::vector<std::optional<bool>> adopted;
    for (const Note& one : notes) {
        clerk_ids.emplace_back(one.clerk_id);
        auth_ids.emplace_back(one.auth_id);
        adopted.emplace_back(one.auth_id != auth_id_of(one.clerk_id));
    }
    pg::Params params;
    params.text_array(clerk_ids).text_array(auth_ids).boolean_array(adopted);
    co_await pool_.execute(sql::note_copies, params);
}

Task<bool> Compare::Attempt::conclude() {
    const CopyDrift drift = summary_.found - summary_.waiting;
    const bool recorded =
        co_await compare_.record_.done(run_, {.at = {},
                                              .by = summary_.by_sql ? "sql" : "pages",
                                              .drift = drift,
                                              .foreign = summary_.foreign,
                                              .held = summary_.held,
                                              .allowed = allowed_,
                                              .failed_at = {},
                                              .failure = ""});
    if (!recorded) co_return false;
    log::info("mirror_compared", {{"by", summary_.by_sql ? "sql" : "pages"},
                                  {"missing", drift.missing},
                                  {"different", drift.different},
                                  {"extra", drift.extra},
                                  {"waiting", summary_.waiting.sum()},
                                  {"skipped", summary_.skipped},
                                  {"foreign", summary_.foreign},
                                  {"held", summary_.held}});
    co_return true;
}

void Compare::Attempt::count(const RowFinding& finding) {
    if (finding.only_unnoted()) return;
    const bool waiting = is_under_way(finding.job);
    const auto member = finding.missing ? &CopyDrift::missing : &CopyDrift::different;
    ++(summary_.found.*member);
    if (waiting) ++(summary_.waiting.*member);
    tell({.kind = finding.missing ? CopyDifference::Kind::missing : CopyDifference::Kind::different,
          .clerk_id = finding.clerk_id,
          .auth_id = finding.seen_id,
          .fields = finding.fields,
          .waiting = waiting});
}

void Compare::Attempt::count(const CopyFinding& finding) {
    const bool waiting = is_under_way(finding.job);
    ++summary_.found.extra;
    if (waiting) ++summary_.waiting.extra;
    if (is_to_go(finding)) ++to_go_;
    if (repairs_ && finding.kind == CopyFinding::Kind::twice) {
        log::warn("mirror_copy_twice",
                  {{"clerk_id", finding.clerk_id}, {"auth_id", finding.auth_id}});
    }
    tell({.kind = CopyDifference::Kind::extra,
          .clerk_id = finding.clerk_id,
          .auth_id = finding.auth_id,
          .fields = {},
          .waiting = waiting});
}

void Compare::Attempt::tell(CopyDifference difference) {
    if (differs_) differs_(difference);
    if (!repairs_ || difference.waiting || ++told_ > told_max) return;
    log::warn("mirror_differs", {{"difference", to_string(difference.kind)},
                                 {"clerk_id", difference.clerk_id},
                                 {"auth_id", difference.auth_id},
                                 {"fields", fmt::format("{}", fmt::join(difference.fields, " "))}});
}

Compare::Compare(Neighbours neighbours, CompareConfig config)
    : neighbours_(neighbours),
      config_(std::move(config)),
      record_(neighbours_.pool),
      lease_(neighbours_.pool, "mirror", config_.instance, config_.lease) {
    ensure(config_.guard != nullptr && config_.portion > 0, "compare: a guard, a portion");
}

Task<Result<CompareSummary>> Compare::repair(Duration limit) {
    const Differs nobody;
    co_return co_await run(/*repairs=*/true, limit, nobody);
}

Task<Result<CompareSummary>> Compare::look(const Differs& differs) {
    co_return co_await run(/*repairs=*/false, Duration::max(), differs);
}

Task<Result<CompareSummary>> Compare::run(bool repairs, Duration limit, const Differs& differs) {
    constexpr const char* busy = "another comparison of the mirror is under way";
    if (running_) co_return fail(ErrorCode::conflict, busy);
    const ScopedFlag running(running_);
    interrupted_ = false;
    deadline_ = std::chrono::steady_clock::now() + bounded(limit);
    Result<CompareSummary> end;
    const bool ours = co_await lease_.during(attempt(repairs, differs, end));
    if (!ours) co_return fail(ErrorCode::conflict, busy);
    co_return end;
}

Task<> Compare::attempt(bool repairs, const Differs& differs, Result<CompareSummary>& end) {
    Attempt attempt(*this, repairs, differs);
    end = co_await attempt.run();
}

Task<std::vector<std::string>> Compare::skipped(int limit) {
    const auto rows =
        co_await neighbours_.pool.execute(sql::skipped_users, pg::Params().integer(limit));
    co_return rows.texts(0);
}

}  // namespace rollcall::mirror
