#include "spool/format.hpp"

#include "base/result.hpp"
#include "spool/config.hpp"

#include <boost/crc.hpp>
#include <concepts>
#include <optional>

namespace rollcall::spool {
namespace {

constexpr std::string_view segment_mark = "RCSPOOL1";
constexpr std::string_view record_mark = "LCPR";
constexpr std::uint64_t latest_ms = 253'402'300'799'999;  // the year 9999
constexpr std::size_t checksum_at = record_head_bytes - sizeof(std::uint32_t);

template <std::unsigned_integral U>
void append_number(std::string& bytes, U number) {
    for (std::size_t i = 0; i < sizeof(U); ++i) {
        bytes += static_cast<char>(static_cast<unsigned char>(number >> (8 * i)));
    }
}

template <std::unsigned_integral U>
U number_at(std::string_view bytes, std::size_t at) {
    U number = 0;
    for (std::size_t i = 0; i < sizeof(U); ++i) {
        number |=
            static_cast<U>(static_cast<U>(static_cast<unsigned char>(bytes[at + i])) << (8 * i));
    }
    return number;
}

// CRC-32C of a record's head but for the checksum, and of its payload.
std::uint32_t checksum(std::string_view head, std::string_view payload) {
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
    crc.process_bytes(head.data(), checksum_at);
    crc.process_bytes(payload.data(), payload.size());
    return crc.checksum();
}

// The record that begins at `at`; nothing where there is no whole one.
std::optional<Record> record_at(std::string_view bytes, std::size_t at) {
    if (bytes.size() - at < record_head_bytes) return std::nullopt;
    const std::string_view head = bytes.substr(at, record_head_bytes);
    if (!head.starts_with(record_mark)) return std::nullopt;
    const auto length = number_at<std::uint32_t>(head, 4);
    const auto ms = number_at<std::uint64_t>(head, 16);
    if (length > record_bytes_max || length > bytes.size() - at - record_head_bytes ||
        ms > latest_ms) {
        return std::nullopt;
    }
    const std::string_view payload = bytes.substr(at + record_head_bytes, length);
    if (number_at<std::uint32_t>(head, checksum_at) != checksum(head, payload)) return std::nullopt;
    return Record{.number = number_at<std::uint64_t>(head, 8),
                  .at = SystemTime(std::chrono::milliseconds(static_cast<std::int64_t>(ms))),
                  .payload = payload};
}

}  // namespace

std::string segment_head(std::uint64_t first) {
    std::string bytes(segment_mark);
    append_number(bytes, first);
    return bytes;
}

void append_record(std::string& bytes, const Record& record) {
    ensure(record.payload.size() <= record_bytes_max, "spool: a record of bounded length");
    std::string head(record_mark);
    append_number(head, static_cast<std::uint32_t>(record.payload.size()));
    append_number(head, record.number);
    append_number(head, static_cast<std::uint64_t>(record.at.time_since_epoch().count()));
    append_number(head, checksum(head, record.payload));
    bytes += head;
    bytes += record.payload;
}

Scan scan(std::string_view bytes) {
    Scan out;
    std::uint64_t next = 0;
    if (bytes.size() >= segment_head_bytes && bytes.starts_with(segment_mark)) {
        next = number_at<std::uint64_t>(bytes, segment_mark.size());
        out.end = segment_head_bytes;
    }
    std::size_t at = out.end;
    while (at < bytes.size()) {
        const auto record = record_at(bytes, at);
        if (record && record->number >= next) {
            if (at != out.end) ++out.gaps;
            out.records.push_back(*record);
            next = record->number + 1;
            at = out.end = at + record_head_bytes + record->payload.size();
        } else {
            at = bytes.find(record_mark, at + 1);
        }
    }
    return out;
}

}  // namespace rollcall::spool
