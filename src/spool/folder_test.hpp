// What the tests of the spool share: a directory that goes with its test, and a disk that fails
// when it is told to.
#pragma once

#include "spool/disk.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace rollcall::spool {

class TestFolder {
public:
    TestFolder() {
        std::string name = std::filesystem::temp_directory_path() / "rollcall-spool-XXXXXX";
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        root_ = name;
    }
    ~TestFolder() { std::filesystem::remove_all(root_); }
    TestFolder(const TestFolder&) = delete;
    TestFolder& operator=(const TestFolder&) = delete;

    // Of the spool; not yet made.
    [[nodiscard]] std::filesystem::path dir() const { return root_ / "spool"; }

    // The files of the spool but its lock, by name.
    [[nodiscard]] std::vector<std::filesystem::path> files() const {
        std::vector<std::filesystem::path> all;
        for (const auto& entry : std::filesystem::directory_iterator(dir())) {
            if (entry.path().filename() != "lock") all.push_back(entry.path());
        }
        std::ranges::sort(all);
        return all;
    }
    static std::string bytes_of(const std::filesystem::path& path) {
        std::ifstream file(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    static void write(const std::filesystem::path& path, const std::string& bytes) {
        std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    }

private:
    std::filesystem::path root_;
};

// Counts may be read by another thread than the one that writes.
class TestDisk final : public Disk {
public:
    std::atomic<long> room{1L << 40};  // bytes; then ENOSPC, after a short write
    std::atomic<bool> sync_fails{false};
    std::atomic<int> syncs{0};
    std::atomic<bool> folder_sync_fails{false};
    std::vector<std::filesystem::path> folders_synced;

    ssize_t write(int file, const char* bytes, std::size_t size) override {
        const long fits = std::min(room.load(), static_cast<long>(size));
        if (fits == 0) {
            errno = ENOSPC;
            return -1;
        }
        room -= fits;
        return real_disk().write(file, bytes, static_cast<std::size_t>(fits));
    }
    int sync(int file) override {
        ++syncs;
        if (!sync_fails) return real_disk().sync(file);
        errno = EIO;
        return -1;
    }
    int sync_folder(int folder) override {
        folders_synced.push_back(
            std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", folder)));
        if (!folder_sync_fails) return real_disk().sync_folder(folder);
        errno = EIO;
        return -1;
    }
};

}  // namespace rollcall::spool
