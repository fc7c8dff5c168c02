// Keeps records on the local disk until they can be put where they belong: durable when append()
// returns, in order, bounded, back after a crash. Knows nothing of what the bytes mean.
// docs/spool.md is its manual. A thread of its own does what blocks (journal.hpp); everything here
// is called on one event loop.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "spool/journal.hpp"

#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <memory>
#include <string>

namespace rollcall::spool {

class Spool {
public:
    // `disk` must outlive the spool, the spool's end must come before the event loop's.
    Spool(Executor executor, SpoolConfig config, Disk& disk = real_disk());
    ~Spool();  // waits for what its thread is doing
    Spool(const Spool&) = delete;
    Spool& operator=(const Spool&) = delete;

    // Once, before all else; blocks for as long as it takes to read what is there. Journal::open().
    Result<void> open(const Journal::Visit& visit);

    // Returns when the record is on the disk. `rate_limited` when there is no room; `unavailable`
    // when the disk fails or takes longer than `limit`: it may be kept all the same then. Records
    // that come while others are written share the next write.
    Task<Result<void>> append(NewRecord record, Duration limit);

    // As Journal's. `unavailable` after `limit`, too; what was begun goes on.
    Task<Result<Batch>> oldest(std::size_t records_max, Duration limit);
    Task<Result<void>> done(Batch batch, bool keep, Duration limit);
    // Looks at the files, and says what stats() says then.
    Task<Result<SpoolStats>> survey(Duration limit);

    // As of the last call that ended.
    [[nodiscard]] const SpoolStats& stats() const;

    // Ends what waits to be written; later appends are unavailable. False when the disk has not let
    // go within `limit`: this must not be destroyed then.
    Task<bool> stop(Duration limit);

private:
    struct State;
    template <class R, class Work>
    Task<std::optional<R>> on_thread(Work work, Duration limit);
    Task<> write();

    std::shared_ptr<State> state_;
    asio::thread_pool thread_;  // goes first
};

}  // namespace rollcall::spool
