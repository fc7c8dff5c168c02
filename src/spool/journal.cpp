#include "spool/journal.hpp"

#include "base/failpoint.hpp"
#include "base/log.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>

namespace rollcall::spool {
namespace {

constexpr std::string_view name_head = "spool-";
constexpr std::string_view name_tail = ".log";
constexpr std::string_view aside_tail = ".damaged";
constexpr std::size_t batch_bytes_max = std::size_t{4} * 1024 * 1024;

std::string segment_name(std::uint64_t first) {
    return fmt::format("{}{:016x}{}", name_head, first, name_tail);
}

// The number in a segment's name; nothing for other files.
std::optional<std::uint64_t> first_of(std::string_view name) {
    if (!name.starts_with(name_head) || !name.ends_with(name_tail)) return std::nullopt;
    name.remove_prefix(name_head.size());
    name.remove_suffix(name_tail.size());
    std::uint64_t first = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), first, 16);
    if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
    return first;
}

std::string_view without_aside(std::string_view name) {
    if (name.ends_with(aside_tail)) name.remove_suffix(aside_tail.size());
    return name;
}

std::unexpected<Error> failed(std::string_view what, std::string_view name) {
    return fail(ErrorCode::unavailable, fmt::format("spool: cannot {} {}: {}", what, name,
                                                    std::generic_category().message(errno)));
}

Result<void> write_all(Disk& disk, const File& file, std::string_view bytes,
                       std::string_view name) {
    while (!bytes.empty()) {
        const ssize_t written = disk.write(file.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return failed("write", name);
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

void tell_damage(std::string_view name, std::size_t places) {
    log::error("spool_record_damaged", {{"file", name}, {"places", places}});
}

// For what only tidies up, and is tried again after a restart.
void warn_of(const Result<void>& result) {
    if (!result) log::warn("spool_file_left", {{"reason", result.error().message}});
}

}  // namespace

Journal::Journal(SpoolConfig config, Disk& disk)
    : config_(std::move(config)), disk_(disk), folder_(config_.dir, disk_) {}

Result<void> Journal::open(const Visit& visit) {
    if (auto taken = folder_.take(); !taken) return taken;
    const auto entries = folder_.list();
    if (!entries) return std::unexpected(entries.error());
    const auto is_segment = [](const Folder::Entry& entry) { return first_of(entry.name); };
    const auto newest = std::find_if(entries->rbegin(), entries->rend(), is_segment);
    for (const Folder::Entry& entry : *entries) {
        if (const auto first = first_of(without_aside(entry.name))) {
            next_ = std::max(next_, *first + 1);
        }
        if (!is_segment(entry)) continue;
        auto read = read_segment(entry, &entry == &*newest, visit);
        if (!read) return read;
    }
    survey();
    return {};
}

Result<void> Journal::read_segment(const Folder::Entry& entry, bool newest, const Visit& visit) {
    const auto bytes = folder_.read(entry.name);
    if (!bytes) return std::unexpected(bytes.error());
    const Scan found = scan(*bytes);
    Segment segment{.name = entry.name, .bytes = bytes->size()};
    const bool tail = bytes->size() > found.end;
    // Only the newest can end in what was never acknowledged.
    const std::size_t places = found.gaps + (tail && !newest ? 1 : 0);
    segment.damaged = places > 0;
    if (segment.damaged) {
        tell_damage(segment.name, places);
    } else if (tail) {
        log::warn("spool_torn_tail",
                  {{"file", segment.name}, {"bytes", bytes->size() - found.end}});
        segment.bytes = found.end;
        if (auto cut = folder_.truncate(segment.name, segment.bytes); !cut) return cut;
    }
    if (!found.records.empty()) {
        segment.records = found.records.size();
        segment.oldest = found.records.front().at;
        next_ = std::max(next_, found.records.back().number + 1);
        segments_.push_back(std::move(segment));
        for (const Record& record : found.records) visit(record.payload);
        return {};
    }
    return segment.damaged ? folder_.rename(segment.name, segment.name + std::string(aside_tail))
                           : folder_.remove(segment.name);
}

Result<void> Journal::append(std::span<const NewRecord> records) {
    if (auto room = make_room(); !room) {
        survey();
        return fail(ErrorCode::unavailable, room.error().message);
    }
    Segment& segment = segments_.back();
    const bool fresh = segment.bytes == 0;
    std::string bytes;
    if (fresh) bytes = segment_head(next_);
    for (const NewRecord& record : records) {
        append_record(bytes, {.number = next_++, .at = record.at, .payload = record.payload});
    }
    auto written = write(bytes);
    if (written && fresh) written = folder_.sync();
    // What was taken away while it was written is on no disk.
    if (written && !folder_.has(segment.name, segment.bytes + bytes.size(), &active_)) {
        written = fail(ErrorCode::unavailable, "spool: the file was taken away");
    }
    if (!written) {
        give_up_active();
        return written;
    }
    if (segment.records == 0) segment.oldest = records.front().at;
    segment.records += records.size();
    segment.bytes += bytes.size();
    count();
    return {};
}

// Leaves an active segment that takes the next record.
Result<void> Journal::make_room() {
    if (active_) {
        const Segment& segment = segments_.back();
        if (!folder_.has(segment.name, segment.bytes, &active_)) {
            survey();
        } else if (segment.bytes >= config_.segment_max) {
            active_ = File();
        }
    }
    if (active_) return {};
    if (auto taken = folder_.take(); !taken) return taken;
    const std::string name = segment_name(next_);
    auto file = folder_.create(name);
    if (!file) {
        ++next_;
        return std::unexpected(file.error());
    }
    active_ = std::move(*file);
    segments_.push_back({.name = name});
    return {};
}

Result<void> Journal::write(std::string_view bytes) {
    const std::string& name = segments_.back().name;
    const std::size_t half = bytes.size() / 2;
    failpoint("journal.before_write");
    if (auto first = write_all(disk_, active_, bytes.substr(0, half), name); !first) return first;
    failpoint("journal.half_written");
    if (auto rest = write_all(disk_, active_, bytes.substr(half), name); !rest) return rest;
    failpoint("journal.before_sync");
    if (disk_.sync(active_.get()) != 0) return failed("sync", name);
    failpoint("journal.after_sync");
    return {};
}

// After a failed sync nobody knows what the file holds: no more goes into it.
void Journal::give_up_active() {
    active_ = File();
    const Segment& segment = segments_.back();
    if (segment.bytes == 0) {
        warn_of(folder_.remove(segment.name));
        segments_.pop_back();
    } else if (folder_.has(segment.name, segment.bytes)) {
        warn_of(folder_.truncate(segment.name, segment.bytes));
    }
    survey();
}

Result<Batch> Journal::oldest(std::size_t records_max) {
    if (!reading_) {
        if (auto loaded = load_oldest(); !loaded) return std::unexpected(loaded.error());
    }
    Batch batch;
    if (!reading_) return batch;
    std::size_t bytes = 0;
    for (std::size_t i = reading_->next; i < reading_->records.size(); ++i) {
        const std::string_view payload = reading_->records[i].payload;
        bytes += payload.size();
        const bool enough = batch.records.size() == records_max || bytes > batch_bytes_max;
        if (enough && !batch.records.empty()) break;
        batch.records.emplace_back(payload);
    }
    return batch;
}

// Leaves the oldest segment with a record in `reading_`; nothing there when there is none.
Result<void> Journal::load_oldest() {
    while (!segments_.empty()) {
        Segment& segment = segments_.front();
        if (segments_.size() == 1) active_ = File();  // new ones go behind
        auto bytes = folder_.read(segment.name);
        if (!bytes) {
            const std::size_t before = segments_.size();
            survey();
            if (segments_.size() == before) return std::unexpected(bytes.error());
            continue;
        }
        reading_ = std::make_unique<Reading>();
        reading_->bytes = std::move(*bytes);
        reading_->records = scan(reading_->bytes).records;
        if (reading_->records.size() < segment.records) {
            tell_damage(segment.name, segment.records - reading_->records.size());
            segment.damaged = true;
        }
        segment.records = reading_->records.size();
        count();
        if (segment.records > 0) return {};
        if (auto ended = end_oldest(); !ended) return ended;
    }
    return {};
}

Result<void> Journal::done(const Batch& batch, bool keep) {
    if (!reading_ || batch.records.empty()) return {};
    Segment& segment = segments_.front();
    ensure(batch.records.size() <= segment.records, "spool: done with what was read");
    reading_->next += batch.records.size();
    segment.records -= batch.records.size();
    segment.damaged = segment.damaged || keep;
    if (segment.records == 0) return end_oldest();
    segment.oldest = reading_->records[reading_->next].at;
    count();
    return {};
}

Result<void> Journal::end_oldest() {
    const Segment segment = std::move(segments_.front());
    segments_.pop_front();
    reading_.reset();
    auto ended = segment.damaged
                     ? folder_.rename(segment.name, segment.name + std::string(aside_tail))
                     : folder_.remove(segment.name);
    if (ended) ended = folder_.sync();
    survey();
    return ended;
}

void Journal::survey() {
    const auto gone = [&](const Segment& segment) {
        const bool newest = &segment == &segments_.back();
        return !folder_.has(segment.name, segment.bytes, newest && active_ ? &active_ : nullptr);
    };
    for (auto segment = segments_.begin(); segment != segments_.end();) {
        if (!gone(*segment)) {
            ++segment;
            continue;
        }
        log::error("spool_file_gone", {{"file", segment->name}, {"records", segment->records}});
        stats_.lost += segment->records;
        if (segment == segments_.begin()) reading_.reset();
        if (std::next(segment) == segments_.end()) active_ = File();
        segment = segments_.erase(segment);
    }
    aside_ = aside_bytes_ = 0;
    for (const Folder::Entry& entry : folder_.list().value_or(std::vector<Folder::Entry>{})) {
        if (!entry.name.ends_with(aside_tail)) continue;
        ++aside_;
        aside_bytes_ += entry.bytes;
    }
    count();
}

void Journal::count() {
    stats_.records = 0;
    stats_.bytes = aside_bytes_;
    stats_.damaged = aside_;
    stats_.oldest.reset();
    for (const Segment& segment : segments_) {
        stats_.records += segment.records;
        stats_.bytes += segment.bytes;
        stats_.damaged += segment.damaged ? 1 : 0;
        if (segment.records > 0 && !stats_.oldest) stats_.oldest = segment.oldest;
    }
}

}  // namespace rollcall::spool
