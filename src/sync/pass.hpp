// What complete and incremental passes share: asks Clerk for pages, compares them with the table,
// repairs what differs, and counts. Trouble is noted once, and everybody who works for the pass
// stops then. Bounded: a few pages, and the users that are put off.
#pragma once

#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "directory/directory.hpp"
#include "pg/pool.hpp"
#include "sync/progress.hpp"
#include "sync/refresh.hpp"
#include "sync/run.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace rollcall::sync {

// Users as Clerk listed them, and the database's time from before the question.
struct Page {
    std::vector<clerk::User> users;
    SystemTime asked_at;
};

class Pass {
public:
    // All must outlive this; `executor` is the caller's.
    struct Parts {
        pg::Pool& pool;
        directory::Directory& directory;
        clerk::BackendApi& clerk;
        Refresh& refresh;
    };
    Pass(Executor executor, Parts parts, RunSummary& summary, bool dry_run, Progress* progress);
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

    // Ask Clerk; nothing when the pass has failed over it. A page counts. None of the questions
    // outlasts interrupt().
    Task<std::optional<Page>> list(clerk::UserQuery query);
    Task<std::optional<std::int64_t>> count(clerk::UserFilter filter);
    // For callers who can do something about a refusal; others pass it to fail().
    Task<Result<Page>> try_list(clerk::UserQuery query);
    Task<Result<std::optional<clerk::User>>> get(const std::string& clerk_id, SystemTime& asked_at);
    Task<std::optional<clerk::Instance>> instance();

    using Absent = std::function<Task<>(std::vector<std::string>)>;
    struct Span {
        directory::CreationSpan times;
        std::span<const std::string> also;  // named before, of these times
        Absent absent;                      // is told who is missing, in portions
    };
    // To be asked before the first page: whether there is nobody to compare with. The users of a
    // span then go in uncompared, all of a page or none; one that meets somebody is compared.
    Task<> look_whether_blank();
    // Compares `users`, each once, with the table, and repairs. With `span`, says who is absent.
    Task<> work_off(std::span<const clerk::User> users, SystemTime asked_at,
                    const std::optional<Span>& span = std::nullopt);
    // Deletes users that Clerk was asked for, one by one, and did not know. Returns those of whom
    // something was learned after `asked_at`: they stay.
    Task<std::vector<std::string>> remove(std::span<const std::string> clerk_ids,
                                          SystemTime asked_at);
    // Those that another user's row stood in the way of: once the rows of all others are right.
    Task<> work_off_rest();
    // Is told whom that concerns, so that it outlives this process.
    using PutOff = std::function<Task<>(std::vector<std::string>)>;
    void put_off_to(PutOff put_off) { put_off_ = std::move(put_off); }

    // The first failure counts.
    void fail(RunFailure failure, std::string reason);
    void fail(const Error& error);
    // Fails, and waits for no answer of Clerk's any longer, nor for leave to ask.
    void interrupt(std::string reason);
    [[nodiscard]] bool stopped() const { return summary_.failure != RunFailure::none; }
    // Users that the table did not take; of the first, why.
    [[nodiscard]] std::int64_t refused() const { return refused_; }
    [[nodiscard]] const std::string& refusal() const { return refusal_; }

    void expect(std::int64_t users) { expected_ = users; }
    void report_progress();
    void report(const Difference& difference);

    [[nodiscard]] RunSummary& summary() { return summary_; }
    [[nodiscard]] const Parts& parts() const { return parts_; }
    [[nodiscard]] bool dry_run() const { return dry_run_; }
    // The database's time, from the past.
    [[nodiscard]] SystemTime known_time() const { return known_time_; }
    Task<> look_at_time();

private:
    template <class T>
    Task<Result<T>> answer(Task<Result<T>> question);

    // A user to be repaired, with what Clerk said.
    struct Repair {
        clerk::User user;
        directory::Read read;
        bool newcomer = false;
    };
    [[nodiscard]] std::vector<Repair> judge(std::span<const clerk::User> users,
                                            std::span<const directory::Read> reads,
                                            const directory::Compared& compared);
    Task<> repair(std::vector<Repair> repairs);
    Task<bool> add(std::span<const directory::Read> newcomers);
    Task<bool> fill(std::span<const directory::Read> reads, const Span& span);
    Task<> tell_absences(const Span& span, directory::Absences absences,
                         std::vector<std::string> named);
    Task<bool> apply(std::span<const directory::Read> reads, std::vector<std::size_t>& rest);
    Task<> settle(Repair repair);
    void count(const directory::AppliedRead& applied);
    void refuse(const std::string& clerk_id, const std::string& reason);

    Parts parts_;
    RunSummary& summary_;
    bool dry_run_;
    bool blank_ = false;
    Progress* progress_;
    SteadyTimer interrupted_;  // expires then
    std::optional<std::int64_t> expected_;
    SystemTime known_time_{};
    std::vector<Repair> rest_;
    PutOff put_off_;
    std::int64_t refused_ = 0;
    std::string refusal_;
    std::int64_t requests_before_;
};

}  // namespace rollcall::sync
