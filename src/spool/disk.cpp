#include "spool/disk.hpp"

#include <unistd.h>

namespace rollcall::spool {
namespace {

class RealDisk final : public Disk {
public:
    ssize_t write(int file, const char* bytes, std::size_t size) override {
        return ::write(file, bytes, size);
    }
    int sync(int file) override { return ::fdatasync(file); }
    int sync_folder(int folder) override { return ::fsync(folder); }
};

}  // namespace

Disk& real_disk() {
    static RealDisk disk;
    return disk;
}

}  // namespace rollcall::spool
