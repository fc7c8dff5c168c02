#include "clerk/event.hpp"

#include <gtest/gtest.h>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace rollcall::clerk {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

const fs::path own_events = fs::path(ROLLCALL_SOURCE_DIR) / "tests/data/events";
// Clerk's own examples, where a checkout has them beside it.
const fs::path samples =
    fs::path(ROLLCALL_SOURCE_DIR).parent_path() / "shared/reference/clerk/webhook-samples";

std::string kind_of(const Event& event) {
    if (std::holds_alternative<Unhandled>(event.data)) return "unhandled";
    if (std::holds_alternative<UserDeleted>(event.data)) return "deleted";
    if (std::holds_alternative<SessionEnded>(event.data)) return "session_ended";
    if (std::holds_alternative<User>(event.data)) return event.user_created ? "created" : "updated";
    return std::string(std::get<Unusable>(event.data).reason);
}

json::value maybe(const std::optional<std::string>& text) {
    return text ? json::value(*text) : json::value(nullptr);
}

json::value described(const Event& event) {
    json::object out{{"type", event.type}, {"kind", kind_of(event)}};
    if (const auto* user = std::get_if<User>(&event.data)) {
        out["user"] = json::object{{"id", user->id},
                                   {"email", maybe(user->email)},
                                   {"email_verified", user->email_verified},
                                   {"name", maybe(user->name)},
                                   {"role", maybe(user->role)},
                                   {"banned", user->banned},
                                   {"locked", user->locked},
                                   {"created_at_ms", user->created_at_ms},
                                   {"updated_at_ms", user->updated_at_ms},
                                   {"timestamp_ms", event.timestamp_ms}};
    } else if (const auto* gone = std::get_if<UserDeleted>(&event.data)) {
        out["deleted"] = json::object{{"id", gone->id}, {"timestamp_ms", event.timestamp_ms}};
    } else if (const auto* session = std::get_if<SessionEnded>(&event.data)) {
        out["ended"] = json::object{{"id", session->id},
                                    {"user_id", session->user_id},
                                    {"timestamp_ms", event.timestamp_ms}};
    }
    return out;
}

TEST(EventParser, ReadsEveryKeptEventAsExpected) {
    const json::value expected = json::parse(text_of(own_events / "expected.json"));
    ASSERT_GT(expected.as_object().size(), 80U);
    EventParser parser;
    for (const auto& [name, want] : expected.as_object()) {
        const fs::path path = own_events / (std::string(name) + ".json");
        ASSERT_TRUE(fs::exists(path)) << path;
        const std::string body = text_of(path);
        json::object got = described(parser.parse(body)).as_object();
        EXPECT_EQ(json::value(got), want) << name;
    }
}

TEST(EventParser, ReadsEveryOfficialSample) {
    if (!fs::exists(samples)) return;  // only the project's own are there
    EventParser parser;
    int users = 0;
    for (const auto& entry : fs::recursive_directory_iterator(samples)) {
        if (entry.path().extension() != ".json") continue;
        const std::string body = text_of(entry.path());
        const Event event = parser.parse(body);
        const json::value document = json::parse(body);
        const std::string type(document.at("type").as_string());
        EXPECT_EQ(event.type, type) << entry.path();
        EXPECT_GT(event.timestamp_ms, 1'600'000'000'000) << entry.path();
        if (!type.starts_with("user.")) {
            const bool ends =
                type == "session.ended" || type == "session.removed" || type == "session.revoked";
            EXPECT_EQ(kind_of(event), ends ? "session_ended" : "unhandled") << entry.path();
            continue;
        }
        ++users;
        const bool has_id = document.at("data").as_object().contains("id");
        EXPECT_EQ(kind_of(event), has_id ? type.substr(5) : "no_user_id") << entry.path();
    }
    EXPECT_GE(users, 19);
}

TEST(EventParser, SurvivesEveryCutAndEveryFlippedByte) {
    const std::string body = text_of(own_events / "user.created.primary-is-second.json");
    EventParser parser;
    for (std::size_t size = 0; size < body.size(); ++size) {
        const Event event = parser.parse(std::string_view(body).substr(0, size));
        if (size < body.rfind('}')) EXPECT_EQ(kind_of(event), "not_json") << size;
    }
    for (std::size_t at = 0; at < body.size(); ++at) {
        std::string changed = body;
        changed[at] = static_cast<char>(changed[at] ^ 0x15);
        (void)parser.parse(changed);
    }
}

// What a user can make Clerk send about them must not keep the rest of it from their row.
TEST(EventParser, NothingThatAUserWritesHidesABan) {
    const std::string deep = std::string(1200, '[') + std::string(1200, ']');
    const std::string digits(400, '9');
    std::string objects = "1";
    for (int i = 0; i < 1500; ++i) objects.insert(0, R"({"a":)").append("}");
    const std::vector<std::string> values{
        deep,
        objects,
        digits,
        "-" + digits + "." + digits + "e-" + digits,
        "1e400",
        "-1E+99999",
        "18446744073709551616",
        "[0.1e-400,-0]",
        R"("\ud800")",
        R"("\udfff\ud800x")",
        R"("a\u0000b")",
        "\"\xff\xfe\"",
        "\"\xed\xa0\x80\"",
        "\"\xf5\x80\xc0\xaf\"",
        R"({"a":1,"a":2,"":3,"\u0000":4})",
        R"({"role":"admin","role":["admin"],"id":"user_b","banned":false,"updated_at":-1})",
        "{\"\\ud83d\":\"\\ud83d\",\"\xff\":null}",
        "\"" + std::string(100'000, 'x') + "\"",
    };
    EventParser parser;
    for (const char* member : {"unsafe_metadata", "public_metadata", "first_name", "last_name",
                               "username", "external_id", "image_url"}) {
        for (const std::string& value : values) {
            const std::string body =
                R"({"type":"user.updated","timestamp":1762340400417,"data":{"id":"user_a",")" +
                std::string(member) + R"(":)" + value +
                R"(,"updated_at":1762340400300,"banned":true}})";
            const Event event = parser.parse(body);
            const auto* user = std::get_if<User>(&event.data);
            ASSERT_NE(user, nullptr) << member << " " << value.substr(0, 60);
            EXPECT_EQ(user->id, "user_a");
            EXPECT_TRUE(user->banned) << member << " " << value.substr(0, 60);
            EXPECT_EQ(user->updated_at_ms, 1'762'340'400'300);
            EXPECT_EQ(user->role, std::nullopt);
        }
    }
}

TEST(EventParser, AnEventWithoutATypeMayNameItsUser) {
    EventParser parser;
    const auto named = [&](const std::string& data) {
        const Event event = parser.parse(R"({"type":7,"data":)" + data + "}");
        EXPECT_EQ(kind_of(event), "no_type") << data;
        return std::get<Unusable>(event.data).user_id;
    };
    EXPECT_EQ(named(R"({"id":"user_a","deleted":true})"), "user_a");
    for (const std::string data :
         {R"({"id":"sess_a","user_id":"user_a"})", R"({"id":"user_\u0000"})", R"({"id":7})",
          R"(["user_a"])", "null", R"("user_a")"}) {
        EXPECT_EQ(named(data), "") << data;
    }
}

TEST(EventParser, TakesSecondsAndMilliseconds) {
    EventParser parser;
    const auto timestamp = [&](const std::string& number) {
        return parser.parse(R"({"type":"session.ended","timestamp":)" + number + "}").timestamp_ms;
    };
    EXPECT_EQ(timestamp("1716883200"), 1'716'883'200'000);
    EXPECT_EQ(timestamp("1716883200123"), 1'716'883'200'123);
    EXPECT_EQ(timestamp("1.716883200e9"), 1'716'883'200'000);
    for (const char* odd :
         {"0", "-1", "-1716883200", "null", "\"1716883200\"", "true", "[]", "18446744073709551615",
          "9223372036854775807", "1e30", "0.5", "99999999999999999999999999999"}) {
        EXPECT_EQ(timestamp(odd), 0) << odd;
    }
}

}  // namespace
}  // namespace rollcall::clerk
