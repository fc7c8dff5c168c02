// The records of a spool in their files (format.hpp), in order: appended at the newest segment,
// read from the oldest, which goes when all of it is done. Every call blocks; one thread at a time.
// What append() returned for is on the disk, and stays until done() says otherwise: over the end of
// the process, at whatever instruction, and of the power.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "spool/config.hpp"
#include "spool/disk.hpp"
#include "spool/folder.hpp"
#include "spool/format.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::spool {

struct SpoolStats {
    std::size_t records = 0;           // not yet done
    std::size_t bytes = 0;             // of all files, damaged ones too
    std::optional<SystemTime> oldest;  // of those records
    std::size_t damaged = 0;           // files with bytes that are no record
    std::size_t lost = 0;              // records whose files somebody else took away

    bool operator==(const SpoolStats&) const = default;
};

// The oldest records.
struct Batch {
    std::vector<std::string> records;
};

struct NewRecord {
    SystemTime at;
    std::string payload;
};

class Journal {
public:
    // `disk` must outlive the journal.
    Journal(SpoolConfig config, Disk& disk);

    // Told of each record that is there.
    using Visit = std::function<void(std::string_view payload)>;

    // Takes the directory and reads what is in it. What a crash left half written at the very end
    // was never acknowledged, and is cut off.
    Result<void> open(const Visit& visit);

    // All of them or none. `unavailable`: none is kept, and the next call tries anew.
    Result<void> append(std::span<const NewRecord> records);

    // Up to so many of the oldest; none when there is none. The same again until they are done.
    Result<Batch> oldest(std::size_t records_max);
    // They are elsewhere now. With `keep` the file is put aside in the end, for a person.
    Result<void> done(const Batch& batch, bool keep);

    // Looks whether the files are still there, and which were put aside.
    void survey();

    [[nodiscard]] const SpoolStats& stats() const { return stats_; }

private:
    struct Segment {
        std::string name;
        std::size_t bytes = 0;
        std::size_t records = 0;  // not yet done
        SystemTime oldest;        // of those
        bool damaged = false;
    };
    // The oldest segment, while it is being done.
    struct Reading {
        std::string bytes;
        std::vector<Record> records;
        std::size_t next = 0;
    };

    Result<void> read_segment(const Folder::Entry& entry, bool newest, const Visit& visit);
    Result<void> make_room();
    Result<void> write(std::string_view bytes);
    void give_up_active();
    Result<void> load_oldest();
    Result<void> end_oldest();
    void count();

    SpoolConfig config_;
    Disk& disk_;
    Folder folder_;
    std::deque<Segment> segments_;
    File active_;  // of the last of them; closed: the next record begins another
    std::uint64_t next_ = 0;
    std::unique_ptr<Reading> reading_;
    SpoolStats stats_;
    std::size_t aside_bytes_ = 0;
    std::size_t aside_ = 0;
};

}  // namespace rollcall::spool
