#include "base/clock.hpp"
#include "cli/doctor.hpp"
#include "spool/disk.hpp"
#include "spool/folder.hpp"
#include "spool/format.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <system_error>

namespace rollcall::cli {
namespace {

namespace files = std::filesystem;

constexpr std::uint64_t mebibyte = 1024UL * 1024;

struct Content {
    std::uint64_t bytes = 0;
    int damaged = 0;
    std::size_t events = 0;  // those of a file that is being drained, all of it
    std::optional<SystemTime> oldest;
};

Result<Content> content_of(const spool::SpoolConfig& config) {
    Content content;
    const spool::Folder folder(config.dir, spool::real_disk());
    const auto entries = folder.list();
    if (!entries) return std::unexpected(entries.error());
    for (const spool::Folder::Entry& entry : *entries) {
        content.bytes += entry.bytes;
        if (entry.name.ends_with(".damaged")) ++content.damaged;
        if (!entry.name.ends_with(".log") || entry.bytes > config.bytes_max) continue;
        const auto bytes = folder.read(entry.name);
        if (!bytes) continue;  // drained meanwhile
        for (const spool::Record& record : spool::scan(*bytes).records) {
            ++content.events;
            content.oldest = std::min(content.oldest.value_or(record.at), record.at);
        }
    }
    return content;
}

// They come out within seconds, where a process has the directory and the database is there.
void check_waiting(const Config& config, const Content& content, Findings& findings) {
    if (!content.oldest) return findings.ok("spool_events", "none waits");
    const auto limit = config.alerts.evaluator.conditions.spooling;
    const auto waited = real_clock().now() - *content.oldest;
    if (limit <= std::chrono::milliseconds(0) || waited < limit) {
        return findings.ok("spool_events", fmt::format("{} wait", content.events));
    }
    findings.warn("spool_events",
                  fmt::format("{} wait in {}, the oldest since {}", content.events,
                              config.spool.dir.string(), to_rfc3339(*content.oldest)),
                  "is the database there, and does a process of rollcall serve with this spool.dir "
                  "run? It stores them, whatever its roles");
}

// Tried out beside it: the name itself may be made by a service that starts now.
Result<void> can_make(const files::path& dir) {
    const std::string probe = fmt::format("{}.doctor-{}", dir.string(), getpid());
    if (mkdir(probe.c_str(), 0700) != 0) {
        const std::error_code why(errno, std::generic_category());
        return fail(ErrorCode::bad_configuration,
                    fmt::format("spool: {} cannot be made: {}", dir.string(), why.message()));
    }
    rmdir(probe.c_str());
    return {};
}

// What may still come beyond what is there already.
void check_space(const files::path& place, std::uint64_t wanted, Findings& findings) {
    struct statvfs disk{};
    if (statvfs(place.c_str(), &disk) != 0) return;
    const std::uint64_t free = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
    if (free < wanted) {
        findings.warn("spool_space",
                      fmt::format("{} MiB are free, the spool may take {} MiB more",
                                  free / mebibyte, wanted / mebibyte),
                      "give spool.dir a larger disk, or make spool.bytes_max smaller");
    } else {
        findings.ok("spool_space", fmt::format("{} MiB are free", free / mebibyte));
    }
}

}  // namespace

void check_spool(const Config& config, Findings& findings) {
    if (config.spool.dir.empty()) return;
    const bool slash = !config.spool.dir.has_filename();
    const files::path dir = slash ? config.spool.dir.parent_path() : config.spool.dir;
    const bool there = access(dir.c_str(), F_OK) == 0;
    const files::path place = there ? dir : dir.parent_path();
    const auto usable = there ? spool::Folder(dir, spool::real_disk()).check() : can_make(dir);
    if (!usable) {
        return findings.fail("spool", usable.error(),
                             "name a directory of its own in spool.dir; what is not there is made");
    }
    if (access(place.c_str(), W_OK | X_OK) != 0) {
        const std::error_code why(errno, std::generic_category());
        return findings.fail("spool",
                             fmt::format("{} cannot be written: {}", place.string(), why.message()),
                             "make it, and give it to the user that the service runs as; run "
                             "doctor as that user");
    }
    const Result<Content> content = there ? content_of(config.spool) : Content{};
    if (!content) {
        return findings.fail("spool", content.error(),
                             "run doctor as the user that the service runs as");
    }
    if (content->damaged > 0) {
        findings.warn("spool",
                      fmt::format("{} files of {} are damaged", content->damaged, dir.string()),
                      "docs/spool.md says what to do with them; sync --full brings what is lost");
    } else {
        findings.ok("spool",
                    fmt::format("{} {}, {} KiB in it", dir.string(),
                                there ? "can be written" : "will be made", content->bytes / 1024));
    }
    check_waiting(config, *content, findings);
    const std::uint64_t used = content->bytes;
    check_space(place, config.spool.bytes_max > used ? config.spool.bytes_max - used : 0, findings);
}

}  // namespace rollcall::cli
