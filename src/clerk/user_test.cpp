#include "clerk/user.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace rollcall::clerk {
namespace {

User user_of(const std::string& members) {
    const auto user = parse_user(R"({"object":"user","id":"user_a",)" + members + "}");
    EXPECT_TRUE(user) << members;
    return user.value_or(User{});
}

std::optional<std::string> name_of(const std::string& first, const std::string& last) {
    return user_of(R"("first_name":)" + first + R"(,"last_name":)" + last).name;
}

TEST(ParseUser, JoinsTheNames) {
    EXPECT_EQ(name_of("\"Ada\"", "\"Lovelace\""), "Ada Lovelace");
    EXPECT_EQ(name_of("\"Ada\"", "null"), "Ada");
    EXPECT_EQ(name_of("null", "\"Lovelace\""), "Lovelace");
    EXPECT_EQ(name_of(R"(" \u00a0Ada\t")", R"("\u3000 Lovelace\ufeff")"), "Ada Lovelace");
    EXPECT_EQ(name_of("\"Ada  King\"", "\"\""), "Ada  King");
    EXPECT_EQ(name_of("null", "null"), std::nullopt);
    EXPECT_EQ(name_of(R"(" \u2029 ")", R"("\u0000")"), std::nullopt);
}

TEST(ParseUser, TakesThePrimaryAddressOnly) {
    const std::string list =
        R"("email_addresses":[{"id":"a","email_address":"first@x.example",)"
        R"("verification":{"status":"verified"}},)"
        R"({"id":"b","email_address":"Second@X.example","verification":{"status":"unverified"}},)"
        R"({"email_address":"none@x.example"}],)";
    EXPECT_EQ(user_of(list + R"("primary_email_address_id":"b")").email, "Second@X.example");
    EXPECT_FALSE(user_of(list + R"("primary_email_address_id":"b")").email_verified);
    EXPECT_TRUE(user_of(list + R"("primary_email_address_id":"a")").email_verified);
    EXPECT_EQ(user_of(list + R"("primary_email_address_id":null)").email, std::nullopt);
    EXPECT_EQ(user_of(list + R"("primary_email_address_id":"")").email, std::nullopt);
    EXPECT_EQ(user_of(list + R"("primary_email_address_id":"c")").email, std::nullopt);
    EXPECT_EQ(user_of(R"("primary_email_address_id":"a")").email, std::nullopt);
}

TEST(ParseUser, TakesThePrimaryPhoneNumberOnly) {
    const std::string list = R"("phone_numbers":[{"id":"a","phone_number":"+15550100"},)"
                             R"({"id":"b","phone_number":"+15550101"},{"phone_number":"+1"},7],)";
    EXPECT_EQ(user_of(list + R"("primary_phone_number_id":"b")").phone, "+15550101");
    EXPECT_EQ(user_of(list + R"("primary_phone_number_id":null)").phone, std::nullopt);
    EXPECT_EQ(user_of(list + R"("primary_phone_number_id":"c")").phone, std::nullopt);
    EXPECT_EQ(user_of(R"("phone_numbers":null,"primary_phone_number_id":"a")").phone, std::nullopt);
}

TEST(ParseUser, AnAddressThatNoIndexHoldsIsNone) {
    const auto email_of = [](std::size_t size) {
        return user_of(R"("primary_email_address_id":"a","email_addresses":[{"id":"a",)"
                       R"("verification":{"status":"verified"},"email_address":")" +
                       std::string(size, 'x') + R"("}])");
    };
    EXPECT_EQ(email_of(1000).email, std::string(1000, 'x'));
    EXPECT_EQ(email_of(1001).email, std::nullopt);
    EXPECT_FALSE(email_of(1001).email_verified);
}

TEST(ParseUser, TakesTheRoleFromPublicMetadataOnly) {
    EXPECT_EQ(user_of(R"("public_metadata":{"role":"admin"})").role, "admin");
    EXPECT_EQ(user_of(R"("unsafe_metadata":{"role":"admin"})").role, std::nullopt);
    EXPECT_EQ(user_of(R"("private_metadata":{"role":"admin"})").role, std::nullopt);
    EXPECT_EQ(user_of(R"("role":"admin")").role, std::nullopt);
    EXPECT_EQ(user_of(R"("public_metadata":{"role":{"name":"admin"}})").role, std::nullopt);
    EXPECT_EQ(user_of(R"("public_metadata":null)").role, std::nullopt);
    EXPECT_EQ(user_of(R"("public_metadata":{"role":"admin","role":"user"})").role, "user");
    EXPECT_EQ(user_of(R"("public_metadata":{"role":"admin","role":1})").role, std::nullopt);
}

TEST(ParseUser, NeedsAUsableId) {
    for (const char* json :
         {"", "7", "[]", "{}", R"({"id":null})", R"({"id":""})", R"({"id":7})",
          R"({"id":"user\u0000"})", R"({"id":"user\nx"})", R"({"id":"user_a"}{)"}) {
        const auto user = parse_user(json);
        ASSERT_FALSE(user) << json;
        EXPECT_EQ(user.error().code, ErrorCode::invalid_input);
    }
    EXPECT_TRUE(parse_user(R"({"id":")" + std::string(255, 'u') + R"("})"));
    EXPECT_FALSE(parse_user(R"({"id":")" + std::string(256, 'u') + R"("})"));
}

TEST(ParseUser, ReadsTheOfficialObject) {
    const auto path = std::filesystem::path(ROLLCALL_SOURCE_DIR).parent_path() /
                      "shared/reference/clerk/bapi-samples/user.json";
    if (!std::filesystem::exists(path)) return;
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    const auto user = parse_user(text.str());
    ASSERT_TRUE(user);
    EXPECT_EQ(user->id, "user_cafebabe");
    EXPECT_EQ(user->email, "john.doe@clerk.test");
    EXPECT_TRUE(user->email_verified);
    EXPECT_EQ(user->name, "John Doe");
}

// Whatever a user types, the name is one that a text column takes, and has no space at its ends.
RC_GTEST_PROP(ParseUser, NamesAreStorable, (const std::string& first, const std::string& last)) {
    const auto quoted = [](const std::string& text) {
        std::string out = "\"";
        for (const char c : text) {
            char escaped[8];
            (void)std::snprintf(escaped, sizeof escaped, "\\u%04x",
                                static_cast<unsigned>(static_cast<unsigned char>(c)));
            out += escaped;
        }
        return out + "\"";
    };
    const auto name = name_of(quoted(first), quoted(last));
    if (!name) return;
    RC_ASSERT(!name->empty());
    RC_ASSERT(name->find('\0') == std::string::npos);
    RC_ASSERT(name->front() != ' ');
    RC_ASSERT(name->back() != ' ');
}

}  // namespace
}  // namespace rollcall::clerk
