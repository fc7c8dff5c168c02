#include "spool/format.hpp"

#include "spool/config.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace rollcall::spool {
namespace {

const SystemTime noon{std::chrono::milliseconds(1'700'000'000'000)};

std::string segment_of(const std::vector<std::string>& payloads, std::uint64_t first = 7) {
    std::string bytes = segment_head(first);
    for (const std::string& payload : payloads) {
        append_record(bytes, {.number = first++, .at = noon, .payload = payload});
    }
    return bytes;
}

std::vector<std::string> payloads_of(const Scan& scan) {
    std::vector<std::string> out;
    out.reserve(scan.records.size());
    for (const Record& record : scan.records) out.emplace_back(record.payload);
    return out;
}

TEST(SpoolFormat, TheBytesAreThoseOfTheDescription) {
    // Read by the builds to come: 0xE3069283 is the check value of CRC-32C for "123456789".
    const std::string bytes = segment_of({"abc"}, 0x0102030405060708);
    EXPECT_EQ(bytes.substr(0, 16), std::string("RCSPOOL1\x08\x07\x06\x05\x04\x03\x02\x01"));
    EXPECT_EQ(bytes.substr(16, 8), std::string("LCPR\x03\0\0\0", 8));
    EXPECT_EQ(bytes.substr(24, 8), std::string("\x08\x07\x06\x05\x04\x03\x02\x01"));
    EXPECT_EQ(bytes.substr(32, 8), std::string("\x00\x68\xe5\xcf\x8b\x01\x00\x00", 8));
    EXPECT_EQ(bytes.substr(44), "abc");
}

TEST(SpoolFormat, WhatWasWrittenIsRead) {
    const bool held = rc::check([](const std::vector<std::string>& payloads) {
        const std::string bytes = segment_of(payloads);
        const Scan found = scan(bytes);
        RC_ASSERT(payloads_of(found) == payloads);
        RC_ASSERT(found.end == bytes.size());
        RC_ASSERT(found.gaps == 0U);
    });
    EXPECT_TRUE(held);
}

TEST(SpoolFormat, EveryTruncationLeavesTheWholeRecordsBeforeIt) {
    const std::string bytes = segment_of({"the first", "the second"});
    const std::size_t first_end = segment_head_bytes + record_head_bytes + 9;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const Scan found = scan(std::string_view(bytes).substr(0, size));
        EXPECT_EQ(found.records.size(), size >= first_end ? 1U : 0U) << size;
        EXPECT_EQ(found.end, size >= first_end            ? first_end
                             : size >= segment_head_bytes ? segment_head_bytes
                                                          : 0U);
        EXPECT_EQ(found.gaps, 0U);
    }
}

TEST(SpoolFormat, EveryChangedByteOfARecordIsFoundAndTheNextRecordRead) {
    const std::string bytes = segment_of({"the first", "the second", "the third"});
    const std::size_t second = segment_head_bytes + record_head_bytes + 9;
    for (std::size_t at = second; at < second + record_head_bytes + 10; ++at) {
        for (const int bit : {1, 16, 128}) {
            std::string changed = bytes;
            changed[at] = static_cast<char>(changed[at] ^ bit);
            const Scan found = scan(changed);
            EXPECT_EQ(payloads_of(found), (std::vector<std::string>{"the first", "the third"}))
                << at;
            EXPECT_EQ(found.gaps, 1U);
            EXPECT_EQ(found.end, bytes.size());
        }
    }
}

TEST(SpoolFormat, ARecordOfBeforeIsNotReadAgain) {
    std::string bytes = segment_of({"new", "newer"}, 10);
    append_record(bytes, {.number = 3, .at = noon, .payload = "from a file that was here before"});
    const Scan found = scan(bytes);
    EXPECT_EQ(payloads_of(found), (std::vector<std::string>{"new", "newer"}));
    EXPECT_LT(found.end, bytes.size());
}

TEST(SpoolFormat, ADamagedHeadHidesNoRecord) {
    std::string bytes = segment_of({"a", "b"});
    bytes[3] = 'x';
    const Scan found = scan(bytes);
    EXPECT_EQ(payloads_of(found), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(found.gaps, 1U);
}

TEST(SpoolFormat, ALengthBeyondTheLimitIsNotBelieved) {
    std::string bytes = segment_of({std::string(100, 'x')});
    bytes[segment_head_bytes + 7] = '\x7f';
    EXPECT_TRUE(scan(bytes).records.empty());
}

}  // namespace
}  // namespace rollcall::spool
