// The directory of a spool: taken by one process (a lock that ends with it), seen by nobody else
// (0700, files 0600). Every call blocks. What goes wrong is a message that names the path.
#pragma once

#include "base/result.hpp"
#include "spool/disk.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rollcall::spool {

// A file's descriptor, closed with its owner.
class File {
public:
    File() = default;
    explicit File(int descriptor) : descriptor_(descriptor) {}
    File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    File& operator=(File&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~File();

    [[nodiscard]] explicit operator bool() const { return descriptor_ >= 0; }
    [[nodiscard]] int get() const { return descriptor_; }

private:
    int descriptor_ = -1;
};

class Folder {
public:
    // `disk` must outlive the folder.
    Folder(std::filesystem::path path, Disk& disk) : path_(std::move(path)), disk_(disk) {}

    // Makes it, durably, where it is missing, and takes it: `conflict` while another process has
    // it, `bad_configuration` where it cannot be used. Nothing when it is taken and still in place.
    Result<void> take();
    // Whether one that is there could be taken, but for who has it: `bad_configuration` for what is
    // no directory, or open to others.
    [[nodiscard]] Result<void> check() const;

    struct Entry {
        std::string name;
        std::size_t bytes = 0;
    };
    // The files in it, by name.
    [[nodiscard]] Result<std::vector<Entry>> list() const;

    // A new file to append to; there must be none of that name.
    [[nodiscard]] Result<File> create(std::string_view name) const;
    [[nodiscard]] Result<std::string> read(std::string_view name) const;
    [[nodiscard]] Result<void> truncate(std::string_view name, std::size_t bytes) const;
    [[nodiscard]] Result<void> remove(std::string_view name) const;
    [[nodiscard]] Result<void> rename(std::string_view from, std::string_view to) const;
    // Whether `name` is there, as large as that at least, and, where given, this very file.
    [[nodiscard]] bool has(std::string_view name, std::size_t bytes,
                           const File* file = nullptr) const;
    // So that files which were made, renamed or removed stay so when the power fails.
    [[nodiscard]] Result<void> sync() const { return sync(path_); }

private:
    [[nodiscard]] std::string at(std::string_view name) const { return path_ / name; }
    Result<void> make();
    [[nodiscard]] Result<void> sync(const std::filesystem::path& folder) const;

    std::filesystem::path path_;
    Disk& disk_;
    File lock_;
};

}  // namespace rollcall::spool
