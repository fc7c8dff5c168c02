#include "cli/route_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <expected>
#include <optional>
#include <utility>

namespace rollcall::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t entries_max = 100'000;
constexpr int depth_max = 64;
constexpr std::size_t route_bytes_max = std::size_t{4} * 1024 * 1024;

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool open() const { return fd_ >= 0; }

private:
    int fd_;
};

std::string reason() {
    return std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): one thread
}

// The bytes of a regular file, not through a link; or why not.
std::expected<std::string, std::string> read_regular(const fs::path& path, struct stat* status) {
    const Descriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    struct stat found{};
    if (!file.open() || fstat(file.get(), &found) != 0) {
        return std::unexpected(errno == ELOOP ? "is a symbolic link" : reason());
    }
    if (!S_ISREG(found.st_mode)) return std::unexpected("is no file");
    if (status != nullptr) *status = found;
    std::string bytes;
    char buffer[65536];
    for (;;) {
        const ssize_t got = read(file.get(), buffer, sizeof buffer);
        if (got < 0) return std::unexpected(reason());
        if (got == 0) return bytes;
        bytes.append(buffer, static_cast<std::size_t>(got));
        if (bytes.size() > route_bytes_max) return std::unexpected("is larger than 4 MiB");
    }
}

std::optional<fs::path> app_of(const fs::path& directory) {
    std::error_code error;
    const fs::path absolute = fs::absolute(directory, error).lexically_normal();
    const fs::path own =
        absolute.has_filename() ? absolute.filename() : absolute.parent_path().filename();
    if (own == "app" && fs::is_directory(directory, error)) return directory;
    for (const char* inside : {"app", "src/app"}) {
        if (fs::is_directory(directory / inside, error)) return directory / inside;
    }
    if (fs::is_directory(directory, error)) return directory;
    return std::nullopt;
}

bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

}  // namespace

Result<RouteFiles> read_route_files(const std::string& directory) {
    const auto app = app_of(directory);
    if (!app) return fail(ErrorCode::invalid_input, fmt::format("{}: is no directory", directory));
    RouteFiles out{*app, {}, {}};
    std::error_code error;
    std::size_t entries = 0;
    for (auto at = fs::recursive_directory_iterator(*app, error);
         !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
        if (++entries > entries_max || at.depth() > depth_max) {
            return fail(ErrorCode::invalid_input,
                        fmt::format("{}: more than an application has: {} entries, {} folders deep",
                                    directory, entries_max, depth_max));
        }
        const std::string path = at->path().lexically_relative(*app).generic_string();
        const fs::file_status status = at->symlink_status(error);
        if (error) break;
        if (fs::is_directory(status)) {
            if (gate::is_private_folder(at->path().filename().string())) {
                at.disable_recursion_pending();
            }
            continue;
        }
        if (fs::is_symlink(status) && fs::is_directory(at->path(), error)) {
            out.unreadable.push_back(path + ": is a symbolic link");
        }
        error.clear();  // a link that leads nowhere
        const auto kind = gate::kind_of(path);
        if (kind == gate::AppFileKind::other) continue;
        if (kind == gate::AppFileKind::page) {
            out.files.push_back({path, ""});
            continue;
        }
        if (auto source = read_regular(at->path(), nullptr)) {
            out.files.push_back({path, *std::move(source)});
        } else {
            out.unreadable.push_back(fmt::format("{}: {}", path, source.error()));
        }
    }
    if (error) {
        return fail(ErrorCode::invalid_input, fmt::format("{}: {}", directory, error.message()));
    }
    std::ranges::sort(out.files, {}, &gate::AppFile::path);
    std::ranges::sort(out.unreadable);
    return out;
}

Result<void> replace_file(const fs::path& path, std::string_view before, std::string_view after) {
    const auto refuse = [&](std::string_view what, const std::string& why) {
        return fail(ErrorCode::invalid_input, fmt::format("{}: {}: {}", path.string(), what, why));
    };
    struct stat status{};
    const auto now = read_regular(path, &status);
    if (!now) return refuse("cannot be read", now.error());
    if (*now != before) {
        return fail(ErrorCode::conflict, fmt::format("{}: was changed meanwhile", path.string()));
    }
    const fs::path fresh =
        path.parent_path() / fmt::format(".{}.{}.new", path.filename().string(), getpid());
    {
        const Descriptor file(
            open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (!file.open()) return refuse("cannot be written", reason());
        const bool own = status.st_uid == geteuid() && status.st_gid == getegid();
        const bool done = write_all(file.get(), after) &&
                          (own || fchown(file.get(), status.st_uid, status.st_gid) == 0) &&
                          fchmod(file.get(), status.st_mode & 07777U) == 0 &&
                          fsync(file.get()) == 0;
        if (!done) {
            const std::string why = reason();
            unlink(fresh.c_str());
            return refuse("cannot be written", why);
        }
    }
    if (rename(fresh.c_str(), path.c_str()) != 0) {
        const std::string why = reason();
        unlink(fresh.c_str());
        return refuse("cannot be replaced", why);
    }
    return {};
}

}  // namespace rollcall::cli
