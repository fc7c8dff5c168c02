#include "crypto/digest.hpp"

#include "crypto/encoding.hpp"

#include <gtest/gtest.h>
#include <span>

namespace rollcall::crypto {
namespace {

std::string hex(std::span<const std::uint8_t> digest) {
    return hex_encode(
        std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

TEST(Sha256Digest, VectorsOfFips180) {
    EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(hex(sha256("abc")),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hex(sha256(std::string(1'000'000, 'a'))),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// 6ba7b81X-9dad-11d1-80b4-00c04fd430c8: the namespaces of RFC 9562.
Uuid name_space(std::uint8_t number) {
    return {{0x6b, 0xa7, 0xb8, number, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4,
             0x30, 0xc8}};
}

TEST(Sha1, VectorsOfFips180) {
    EXPECT_EQ(hex(sha1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(UuidV5, VectorsOfRfc9562AndPostgresql) {
    EXPECT_EQ(to_string(uuid_v5(name_space(0x10), "www.example.com")),
              "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    // As PostgreSQL's uuid_generate_v5(uuid_ns_url(), …) has it.
    EXPECT_EQ(to_string(uuid_v5(name_space(0x11), "http://www.postgresql.org/")),
              "e207a177-ec16-51fd-a671-d3f47918ed2e");
    EXPECT_NE(uuid_v5(name_space(0x10), ""), uuid_v5(name_space(0x11), ""));
}

TEST(HmacKey, VectorsOfRfc4231) {
    EXPECT_EQ(hex(HmacKey(std::string(20, '\x0b')).sign("Hi There")),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(hex(HmacKey("Jefe").sign("what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hex(HmacKey(std::string(131, '\xaa'))
                      .sign("Test Using Larger Than Block-Size Key - Hash Key First")),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    EXPECT_EQ(hex(HmacKey("").sign("")),
              "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(HmacKey, PiecesAreOneMessage) {
    const HmacKey key("key");
    const Sha256 whole = key.sign("one.two.three");
    EXPECT_EQ(key.sign("one", ".two", ".three"), whole);
    EXPECT_EQ(key.sign("", "one.two.three"), whole);
    EXPECT_EQ(key.sign("one.two.three"), whole);  // the key is as new after each use
}

TEST(HmacKey, Moves) {
    HmacKey a("Jefe");
    HmacKey b = std::move(a);
    HmacKey c("other");
    c = std::move(b);
    EXPECT_EQ(hex(c.sign("what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(EqualConstantTime, ComparesBytes) {
    EXPECT_TRUE(equal_constant_time("", ""));
    EXPECT_TRUE(equal_constant_time("abc", "abc"));
    EXPECT_FALSE(equal_constant_time("abc", "abd"));
    EXPECT_FALSE(equal_constant_time("abc", "abcd"));
    EXPECT_FALSE(equal_constant_time("", "a"));
}

TEST(RandomBytes, AreAsManyAsAskedAndDiffer) {
    EXPECT_EQ(random_bytes(0), "");
    EXPECT_EQ(random_bytes(33).size(), 33U);
    EXPECT_NE(random_bytes(16), random_bytes(16));
}

}  // namespace
}  // namespace rollcall::crypto
