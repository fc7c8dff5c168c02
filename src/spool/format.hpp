// The bytes of a segment, one file of the spool: a head, then records, each with a checksum, so
// that what a crash left half written, or a disk changed, is told from what was stored. Pure.
//
//   head    "RCSPOOL1", u64 number of the first record
//   record  u32 "LCPR", u32 length, u64 number, u64 at (ms since 1970), u32 CRC-32C of all of it
//           but this field, then the payload
//
// Little endian. Numbers grow along the file.
#pragma once

#include "base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::spool {

inline constexpr std::size_t segment_head_bytes = 16;
inline constexpr std::size_t record_head_bytes = 28;

struct Record {
    std::uint64_t number = 0;
    SystemTime at;
    std::string_view payload;  // at most record_bytes_max

    bool operator==(const Record&) const = default;
};

[[nodiscard]] std::string segment_head(std::uint64_t first);
void append_record(std::string& bytes, const Record& record);

struct Scan {
    std::vector<Record> records;  // views into the bytes
    std::size_t end = 0;          // after the last record; what follows is none
    std::size_t gaps = 0;         // places before `end` where bytes are no record
};

// Whatever the bytes are. Goes on after what is damaged at the next whole record.
[[nodiscard]] Scan scan(std::string_view bytes);

}  // namespace rollcall::spool
