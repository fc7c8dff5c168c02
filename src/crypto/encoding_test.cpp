#include "crypto/encoding.hpp"

#include "base/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>

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

TEST(Base64Url, EncodesTheVectorsOfRfc4648WithoutPadding) {
    EXPECT_EQ(base64url_encode(""), "");
    EXPECT_EQ(base64url_encode("f"), "Zg");
    EXPECT_EQ(base64url_encode("fo"), "Zm8");
    EXPECT_EQ(base64url_encode("foo"), "Zm9v");
    EXPECT_EQ(base64url_encode("foobar"), "Zm9vYmFy");
    EXPECT_EQ(base64url_encode("\xFB\xFF\xFE"), "-__-");
}

TEST(Base64Url, EncodesTheVectorOfRfc7515AppendixC) {
    EXPECT_EQ(base64url_encode("\x03\xEC\xFF\xE0\xC1"), "A-z_4ME");
    EXPECT_EQ(base64url_decode("A-z_4ME"), "\x03\xEC\xFF\xE0\xC1");
}

TEST(Base64Url, IsBase64WithTwoOtherCharactersAndNoPadding) {
    Random random(7);
    for (std::size_t size = 0; size < 200; ++size) {
        std::string bytes;
        for (std::size_t i = 0; i < size; ++i) {
            bytes += static_cast<char>(random.between(-128, 127));
        }
        std::string text = base64_encode(bytes);
        std::ranges::replace(text, '+', '-');
        std::ranges::replace(text, '/', '_');
        std::erase(text, '=');
        EXPECT_EQ(base64url_encode(bytes), text);
        EXPECT_EQ(base64url_decode(text), bytes);
    }
}

TEST(Base64Url, RefusesEverythingThatIsNotTheOneEncoding) {
    for (const char* text :
         {"Zg==", "Zm8=", "Z", "Zm9vY", "=", "Zm9v\n", " Zm9v", "Zm 9", "Zm9+", "Zm9/", "Zm8.",
          "Zh", "Zn", "Zm9", "Z_", "\xC3\xBC", "Zm9v\r\n", "%5A%67"}) {
        EXPECT_EQ(base64url_decode(text), std::nullopt) << text;
    }
    EXPECT_EQ(base64url_decode(std::string_view("Zm\0v", 4)), std::nullopt);
}

TEST(Base64Url, OfEachLastCharacterOneIsRight) {
    constexpr std::string_view all =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    int one_byte = 0;
    int two_bytes = 0;
    for (const char c : all) {
        one_byte += base64url_decode(std::string("Z") + c).has_value() ? 1 : 0;
        two_bytes += base64url_decode(std::string("Zm") + c).has_value() ? 1 : 0;
    }
    EXPECT_EQ(one_byte, 4);
    EXPECT_EQ(two_bytes, 16);
}

}  // namespace
}  // namespace rollcall::crypto
