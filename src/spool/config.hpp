// What the spool can be told. Section [spool] of rollcall.toml.
#pragma once

#include <cstddef>
#include <filesystem>

namespace rollcall::spool {

// The largest record. A segment that is read is in memory as a whole.
inline constexpr std::size_t record_bytes_max = std::size_t{2} * 1024 * 1024;

struct SpoolConfig {
    // Of one process alone; made where its parent is there. Empty: no spool.
    std::filesystem::path dir;
    // All files in it; a record that would go beyond is not taken.
    std::size_t bytes_max = std::size_t{256} * 1024 * 1024;
    // A file that has grown to this is followed by another, so that room comes back as they are
    // drained.
    std::size_t segment_max = std::size_t{8} * 1024 * 1024;
};

}  // namespace rollcall::spool
