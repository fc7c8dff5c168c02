#include "crypto/encoding.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>

namespace rollcall::crypto {
namespace {

TEST(Base64, EncodesTheVectorsOfRfc4648) {
    EXPECT_EQ(base64_encode(""), "");
    EXPECT_EQ(base64_encode("f"), "Zg==");
    EXPECT_EQ(base64_encode("fo"), "Zm8=");
    EXPECT_EQ(base64_encode("foo"), "Zm9v");
    EXPECT_EQ(base64_encode("foob"), "Zm9vYg==");
    EXPECT_EQ(base64_encode("fooba"), "Zm9vYmE=");
    EXPECT_EQ(base64_encode("foobar"), "Zm9vYmFy");
    EXPECT_EQ(base64_encode("\xFB\xFF\xFE"), "+//+");
}

TEST(Base64, DecodesWhatItEncoded) {
    Random random(3);
    for (std::size_t size = 0; size < 200; ++size) {
        std::string bytes;
        for (std::size_t i = 0; i < size; ++i) {
            bytes += static_cast<char>(random.between(-128, 127));
        }
        EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
    }
}

TEST(Base64, RefusesEverythingThatIsNotTheOneEncoding) {
    for (const char* text :
         {"Zg", "Zg=", "Z", "Z===", "====", "=", "Zg==Zg==", "Zm9v\n", " Zm9v", "Zm 9", "Zm9-",
          "Zm9_", "Zh==", "Zm9=", "Z=g=", "Zm9vYg=v", "\xC3\xBC=="}) {
        EXPECT_EQ(base64_decode(text), std::nullopt) << text;
    }
    EXPECT_EQ(base64_decode(std::string_view("Zm\0v", 4)), std::nullopt);
}

TEST(Hex, IsLowerCase) {
    EXPECT_EQ(hex_encode(std::string_view("\x00\x0F\xAB\xFF", 4)), "000fabff");
    EXPECT_EQ(hex_encode(""), "");
}

}  // namespace
}  // namespace rollcall::crypto
