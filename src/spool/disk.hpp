// The calls by which a disk says that it is full or broken. Tests replace them.
#pragma once

#include <sys/types.h>
#include <cstddef>

namespace rollcall::spool {

// As write(2), fdatasync(2) and, of a directory, fsync(2) are.
class Disk {
public:
    virtual ~Disk() = default;
    virtual ssize_t write(int file, const char* bytes, std::size_t size) = 0;
    virtual int sync(int file) = 0;
    virtual int sync_folder(int folder) = 0;
};

// The machine's. Lives as long as the program.
Disk& real_disk();

}  // namespace rollcall::spool
