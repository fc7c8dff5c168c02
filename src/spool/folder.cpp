#include "spool/folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <system_error>

namespace rollcall::spool {
namespace {

constexpr std::string_view lock_name = "lock";

std::unexpected<Error> failed(ErrorCode code, std::string_view what, const std::string& path) {
    return fail(code, fmt::format("spool: cannot {} {}: {}", what, path,
                                  std::generic_category().message(errno)));
}

std::unexpected<Error> failed(std::string_view what, const std::string& path) {
    return failed(ErrorCode::unavailable, what, path);
}

bool same(const struct stat& a, const struct stat& b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool in_place(const std::string& path, const File& file) {
    struct stat there{};
    struct stat ours{};
    return ::stat(path.c_str(), &there) == 0 && ::fstat(file.get(), &ours) == 0 &&
           same(there, ours);
}

}  // namespace

File::~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

// What is durable in it is gone all the same as long as its own name is not.
Result<void> Folder::make() {
    const bool made = ::mkdir(path_.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) return failed(ErrorCode::bad_configuration, "make", path_);
    auto durable = sync(path_ / "..");
    if (durable || !made) return {};  // what somebody else made may be in what we cannot open
    ::rmdir(path_.c_str());
    return fail(ErrorCode::bad_configuration, durable.error().message);
}

Result<void> Folder::take() {
    const std::string lock_path = at(lock_name);
    if (lock_ && in_place(lock_path, lock_)) return {};
    if (auto made = make(); !made) return made;
    if (auto usable = check(); !usable) return usable;
    File lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock) return failed(ErrorCode::bad_configuration, "open", lock_path);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return fail(ErrorCode::conflict,
                    fmt::format("spool: another process has {}; give each its own spool.dir",
                                path_.string()));
    }
    lock_ = std::move(lock);
    return {};
}

Result<void> Folder::check() const {
    struct stat found{};
    if (::stat(path_.c_str(), &found) != 0) {
        return failed(ErrorCode::bad_configuration, "look at", path_);
    }
    if (!S_ISDIR(found.st_mode)) {
        return fail(ErrorCode::bad_configuration,
                    fmt::format("spool: {} is no directory", path_.string()));
    }
    if ((found.st_mode & 077U) != 0) {
        return fail(ErrorCode::bad_configuration,
                    fmt::format("spool: {} is open to others (mode {:o}): chmod 0700, or name a "
                                "directory in it, which will be made",
                                path_.string(), found.st_mode & 07777U));
    }
    return {};
}

Result<std::vector<Folder::Entry>> Folder::list() const {
    std::vector<Entry> entries;
    std::error_code error;
    for (std::filesystem::directory_iterator all(path_, error), end; !error && all != end;
         all.increment(error)) {
        struct stat found{};
        if (::lstat(all->path().c_str(), &found) != 0 || !S_ISREG(found.st_mode)) continue;
        entries.push_back({all->path().filename(), static_cast<std::size_t>(found.st_size)});
    }
    if (error) {
        return fail(ErrorCode::unavailable,
                    fmt::format("spool: cannot list {}: {}", path_.string(), error.message()));
    }
    std::ranges::sort(entries, {}, &Entry::name);
    return entries;
}

Result<File> Folder::create(std::string_view name) const {
    const std::string path = at(name);
    File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600));
    if (!file) return failed("make", path);
    return file;
}

Result<std::string> Folder::read(std::string_view name) const {
    const std::string path = at(name);
    const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat found{};
    if (!file || ::fstat(file.get(), &found) != 0) return failed("read", path);
    std::string bytes(static_cast<std::size_t>(found.st_size), '\0');
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t got = ::read(file.get(), bytes.data() + done, bytes.size() - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed("read", path);
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    bytes.resize(done);
    return bytes;
}

Result<void> Folder::truncate(std::string_view name, std::size_t bytes) const {
    const std::string path = at(name);
    const File file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file || ::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0 ||
        ::fdatasync(file.get()) != 0) {
        return failed("cut", path);
    }
    return {};
}

Result<void> Folder::remove(std::string_view name) const {
    const std::string path = at(name);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed("remove", path);
    return {};
}

Result<void> Folder::rename(std::string_view from, std::string_view to) const {
    const std::string path = at(from);
    if (::rename(path.c_str(), at(to).c_str()) != 0) return failed("rename", path);
    return {};
}

bool Folder::has(std::string_view name, std::size_t bytes, const File* file) const {
    const std::string path = at(name);
    struct stat found{};
    return ::stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode) &&
           static_cast<std::size_t>(found.st_size) >= bytes &&
           (file == nullptr || in_place(path, *file));
}

Result<void> Folder::sync(const std::filesystem::path& folder) const {
    const File opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened || disk_.sync_folder(opened.get()) != 0) return failed("sync", folder);
    return {};
}

}  // namespace rollcall::spool
