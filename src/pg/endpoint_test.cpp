#include "pg/endpoint.hpp"

#include <gmock/gmock.h>
#include <algorithm>

namespace rollcall::pg {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Key;
using testing::Not;
using testing::Pair;

Endpoint parse(const std::string& url) {
    DatabaseConfig config;
    config.url = Secret(url);
    return Endpoint::parse(config).value();
}

TEST(Endpoint, ListsTheHosts) {
    EXPECT_THAT(parse("postgresql://u@one:1,two:2/db").hosts(),
                ElementsAre(Address{"one", "", "1"}, Address{"two", "", "2"}));
    EXPECT_THAT(parse("host=one,/run/pg port=7").hosts(),
                ElementsAre(Address{"one", "", "7"}, Address{"/run/pg", "", "7"}));
    EXPECT_THAT(parse("host=one hostaddr=10.0.0.1").hosts(),
                ElementsAre(Address{"one", "10.0.0.1", "5432"}));
    EXPECT_THAT(parse("hostaddr=10.0.0.1,10.0.0.2").hosts(),
                ElementsAre(Address{"", "10.0.0.1", "5432"}, Address{"", "10.0.0.2", "5432"}));
    EXPECT_THAT(parse("host=[::1] dbname=x").hosts(), ElementsAre(Address{"[::1]", "", "5432"}));
    EXPECT_THAT(parse("postgresql://[::1]:9/x").hosts(), ElementsAre(Address{"::1", "", "9"}));
    EXPECT_THAT(parse("dbname=x").hosts(), IsEmpty());
    EXPECT_THAT(parse("host=one,two port=1,2,3").hosts(), IsEmpty());
    EXPECT_THAT(parse("host=@abstract").hosts(), ElementsAre(Address{"@abstract", "", "5432"}));
}

TEST(Endpoint, PassesOnWhatItDoesNotKnow) {
    const Endpoint endpoint = parse(
        "postgresql://u:p%40ss@one/db?sslmode=verify-full&sslrootcert=/ca&options=-cgeqo%3Doff"
        "&target_session_attrs=read-write&channel_binding=require");
    const auto options = endpoint.options({{"one", "10.0.0.1", "5432"}, {"one", "::1", "5432"}});
    EXPECT_THAT(options, Contains(Pair("user", "u")));
    EXPECT_THAT(options, Contains(Pair("password", "p@ss")));
    EXPECT_THAT(options, Contains(Pair("dbname", "db")));
    EXPECT_THAT(options, Contains(Pair("sslmode", "verify-full")));
    EXPECT_THAT(options, Contains(Pair("sslrootcert", "/ca")));
    EXPECT_THAT(options, Contains(Pair("options", "-cgeqo=off")));
    EXPECT_THAT(options, Contains(Pair("target_session_attrs", "read-write")));
    EXPECT_THAT(options, Contains(Pair("channel_binding", "require")));
    // The name stays, for the certificate; the address spares libpq the question.
    EXPECT_THAT(options, Contains(Pair("host", "one,one")));
    EXPECT_THAT(options, Contains(Pair("hostaddr", "10.0.0.1,::1")));
    EXPECT_THAT(options, Contains(Pair("port", "5432,5432")));
    EXPECT_EQ(std::ranges::count(options, "host", &Endpoint::Options::value_type::first), 1);
}

TEST(Endpoint, DefaultsYieldToTheUrl) {
    const auto plain = parse("host=one").options({});
    EXPECT_THAT(plain, Contains(Pair("fallback_application_name", "rollcall")));
    EXPECT_THAT(plain, Contains(Pair("client_encoding", "UTF8")));
    EXPECT_THAT(plain, Contains(Pair("keepalives_idle", "15")));
    EXPECT_THAT(plain, Contains(Pair("tcp_user_timeout", "20000")));
    const auto own =
        parse("host=one keepalives_idle=100 tcp_user_timeout=0 client_encoding=LATIN1").options({});
    EXPECT_THAT(own, Contains(Pair("keepalives_idle", "100")));
    EXPECT_THAT(own, Contains(Pair("tcp_user_timeout", "0")));
    EXPECT_THAT(own, Contains(Pair("client_encoding", "UTF8")));
}

TEST(Endpoint, UnixSocketsHaveNoAddress) {
    const Endpoint endpoint = parse("host=/run/a,/run/b");
    const auto options = endpoint.options(endpoint.hosts());
    EXPECT_THAT(options, Contains(Pair("host", "/run/a,/run/b")));
    EXPECT_THAT(options, Not(Contains(Key("hostaddr"))));
}

TEST(Endpoint, AMalformedUrlIsNotQuoted) {
    DatabaseConfig config;
    for (const char* url :
         {"postgresql://u:hunter2@[/x", "host=a hunter2", "hunter2", "postgresql://h/x?hunter2=1",
          "host='hunter2", "postgresql://u:hunter2/@h/x", "postgresql://u:a@hunter2@h/x"}) {
        config.url = Secret(url);
        const auto endpoint = Endpoint::parse(config);
        ASSERT_FALSE(endpoint.has_value()) << url;
        EXPECT_EQ(endpoint.error().code, ErrorCode::bad_configuration);
        EXPECT_EQ(endpoint.error().message.find("hunter2"), std::string::npos);
    }
}

}  // namespace
}  // namespace rollcall::pg
