// The readers of what the spool finds on the disk: whatever bytes are there, what is taken from
// them is whole, in order and within them, and written again reads the same.
#include "base/result.hpp"
#include "spool/config.hpp"
#include "spool/format.hpp"
#include "webhooks/spooled_event.hpp"

#include <string>
#include <string_view>

namespace {

using namespace rollcall;

void check_event(std::string_view record) {
    const auto event = webhooks::read_record(record);
    if (!event) return;
    ensure(!event->svix_id.empty(), "an event has an id");
    ensure(webhooks::to_record(*event) == record, "an event is written as it was read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const spool::Scan found = spool::scan(bytes);
    ensure(found.end <= size, "the end is within the bytes");
    std::string again = spool::segment_head(0);
    const spool::Record* before = nullptr;
    for (const spool::Record& record : found.records) {
        ensure(before == nullptr || before->number < record.number, "numbers grow");
        ensure(record.payload.size() <= spool::record_bytes_max, "a record of bounded length");
        ensure(record.payload.empty() ||
                   (record.payload.data() >= bytes.data() &&
                    record.payload.data() + record.payload.size() <= bytes.data() + found.end),
               "a payload is within the bytes");
        spool::append_record(again, record);
        check_event(record.payload);
        before = &record;
    }
    const spool::Scan twice = spool::scan(again);
    ensure(twice.records == found.records && twice.gaps == 0 && twice.end == again.size(),
           "what is written reads the same");
    const spool::Scan cut = spool::scan(bytes.substr(0, found.end));
    ensure(cut.records == found.records && cut.end == found.end, "a tail cut off changes nothing");
    check_event(bytes);
    return 0;
}
