#include "pg_fixture.hpp"

#include "base/log.hpp"
#include "support/fault_proxy.hpp"

#include <cstdlib>
#include <fstream>

namespace rollcall::pg {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

class PgConnect : public PgTest {
protected:
    // Of its own: where it listens must be known.
    static test::Postgres& plain_server() {
        static test::Postgres own;
        return own;
    }
    // What the server says to `text` over a connection by `url`; "away: …" when there is none.
    std::string ask(const std::string& url, std::string_view text = "SELECT current_database()",
                    std::chrono::milliseconds connect_timeout = 10s) {
        DatabaseConfig config = db.config();
        config.url = Secret(url);
        config.connect_timeout = connect_timeout;
        Pool pool(io.get_executor(), "main", 1, config, metrics);
        try {
            return value(pool, text);
        } catch (const Unavailable& error) {
            return "away: " + std::string(error.what());
        }
    }
    [[nodiscard]] std::string port() const { return std::to_string(db.server().port()); }

    const log::Capture quiet;
    test::Database db{plain_server()};
};

class Environment {
public:
    Environment(const char* name, const std::string& value) : name_(name) {
        setenv(name, value.c_str(), 1);
    }
    ~Environment() { unsetenv(name_); }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

private:
    const char* name_;
};

TEST_F(PgConnect, TakesUrisAndKeywords) {
    const std::string directory = db.server().directory();
    EXPECT_EQ(ask(db.url()), db.name());
    EXPECT_EQ(ask(db.tcp_url()), db.name());
    EXPECT_EQ(ask("host=" + directory + " port=" + port() + " user=postgres dbname=" + db.name()),
              db.name());
    EXPECT_EQ(ask("postgres://postgres@localhost:" + port() + "/" + db.name()), db.name());
    EXPECT_EQ(ask("host=localhost hostaddr=127.0.0.1 user=postgres port=" + port() + " dbname='" +
                  db.name() + "'"),
              db.name());
    EXPECT_EQ(ask(db.url() + "?options=-c%20geqo%3Doff", "SHOW geqo"), "off");
    EXPECT_EQ(ask(db.url() + "?application_name=mine", "SHOW application_name"), "mine");
}

TEST_F(PgConnect, TakesServicesAndTheEnvironment) {
    const std::string file = db.server().directory() / "services.conf";
    std::ofstream(file) << "[here]\nhost=localhost\nport=" << port()
                        << "\nuser=postgres\ndbname=" << db.name() << "\n";
    const Environment services("PGSERVICEFILE", file);
    EXPECT_EQ(ask("service=here"), db.name());
    EXPECT_EQ(ask("postgresql://?service=here"), db.name());
    EXPECT_THAT(ask("service=nowhere"), HasSubstr("nowhere"));
    const Environment host("PGHOST", db.server().directory());
    const Environment number("PGPORT", port());
    EXPECT_EQ(ask("user=postgres dbname=" + db.name()), db.name());
    EXPECT_EQ(ask("postgresql:///" + db.name() + "?user=postgres"), db.name());
}

TEST_F(PgConnect, TriesEveryHost) {
    const std::string tail = "/" + db.name();
    EXPECT_EQ(ask("postgresql://postgres@127.0.0.1:1,localhost:" + port() + tail), db.name());
    EXPECT_EQ(ask("postgresql://postgres@no-such-host.invalid:1,localhost:" + port() + tail),
              db.name());
    EXPECT_EQ(ask("host=/nowhere," + db.server().directory().string() +
                  ",localhost port=" + port() + " user=postgres dbname=" + db.name()),
              db.name());
    EXPECT_EQ(ask("postgresql://postgres@localhost:1,localhost:" + port() + tail +
                  "?target_session_attrs=read-write"),
              db.name());
    EXPECT_THAT(ask("postgresql://postgres@localhost:1,localhost:2" + tail), HasSubstr("refused"));
    EXPECT_THAT(ask("host=a,b port=1,2,3 user=postgres"), HasSubstr("port"));
}

TEST_F(PgConnect, AHostThatDoesNotAnswerLeavesTimeForTheNext) {
    test::FaultProxy silent(db.server().socket_path());
    silent.stall(true);
    const std::string url = "postgresql://postgres@127.0.0.1:" + std::to_string(silent.port()) +
                            ",127.0.0.1:" + port() + "/" + db.name();
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(ask(url, "SELECT current_database()", 600ms), db.name());
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);

    // Once found, it is not looked for again.
    DatabaseConfig config = db.config();
    config.url = Secret(url);
    config.connect_timeout = 600ms;
    Pool pool(io.get_executor(), "main", 2, config, metrics);
    const Transaction first = run(pool.begin());
    const int accepted = silent.accepted();
    const Transaction second = run(pool.begin());
    EXPECT_EQ(silent.accepted(), accepted);
}

TEST_F(PgConnect, SaysWhyNot) {
    EXPECT_THAT(ask("postgresql://postgres@no-such-host.invalid/x"),
                HasSubstr("no-such-host.invalid"));
    EXPECT_THAT(ask("postgresql://postgres@127.0.0.1:1/x"), HasSubstr("refused"));
    EXPECT_THAT(ask(db.server().url("no_such_database")), HasSubstr("no_such_database"));
    EXPECT_THAT(ask("postgresql://postgres@/x?host=/no/such/place"), HasSubstr("/no/such/place"));
    const std::string malformed = ask("postgresql://u:pass word@[oops/x");
    EXPECT_THAT(malformed, HasSubstr("database URL"));
    EXPECT_THAT(malformed, testing::Not(HasSubstr("pass w")));
    EXPECT_THAT(ask("postgresql://postgres@localhost/x?no_such_option=1"),
                HasSubstr("database URL"));
}

TEST_F(PgConnect, SilenceIsTimedOut) {
    test::FaultProxy silent(db.server().socket_path());
    silent.stall(true);
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_THAT(ask("postgresql://postgres@127.0.0.1:" + std::to_string(silent.port()) + "/x",
                    "SELECT 1", 200ms),
                HasSubstr("timed out"));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
}

TEST_F(PgConnect, ConfigurationIsCheckedWithoutConnecting) {
    DatabaseConfig config;
    config.url = Secret("postgresql://nobody@nowhere.invalid/x");
    EXPECT_TRUE(check(config).has_value());
    config.url = Secret("host=a sslmode");
    const auto bad = check(config);
    ASSERT_FALSE(bad.has_value());
    EXPECT_EQ(bad.error().code, ErrorCode::bad_configuration);
}

// A server with TLS and a certificate of our own CA.
class PgTls : public PgConnect {
protected:
    static test::Postgres& server() {
        static test::Postgres own(test::Postgres::Options{.tls = true});
        return own;
    }
    [[nodiscard]] std::string url(const std::string& host, const std::string& rest) const {
        return "postgresql://postgres@" + host + ":" + std::to_string(server().port()) + "/" +
               inside.name() + "?" + rest;
    }
    [[nodiscard]] static std::string verify() {
        return "sslmode=verify-full&sslrootcert=" + server().ca_file();
    }

    test::Database inside{server()};
};

constexpr std::string_view protocol =
    "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

TEST_F(PgTls, VerifiesAuthorityAndName) {
    EXPECT_THAT(ask(url("localhost", verify()), protocol), HasSubstr("TLSv1."));
    EXPECT_THAT(ask(url("127.0.0.1", verify()), protocol), HasSubstr("does not match host name"));
    EXPECT_THAT(ask(url("127.0.0.1", "sslmode=require"), protocol), HasSubstr("TLSv1."));
    EXPECT_THAT(ask(url("localhost", "sslmode=disable"), protocol), "");
    const test::Postgres other(test::Postgres::Options{.tls = true});
    EXPECT_THAT(ask(url("localhost", "sslmode=verify-full&sslrootcert=" + other.ca_file())),
                AnyOf(HasSubstr("certificate verify failed"), HasSubstr("self-signed")));
    EXPECT_THAT(ask(url("localhost", "sslmode=verify-full&sslrootcert=/nowhere")),
                HasSubstr("root certificate"));
}

TEST_F(PgTls, RequiredEncryptionIsNotGivenUp) {
    EXPECT_THAT(ask("postgresql://postgres@localhost:" + port() + "/x?sslmode=require"),
                HasSubstr("does not support SSL"));
}

TEST_F(PgTls, LargeAnswersArriveWhole) {
    DatabaseConfig config = db.config();
    config.url = Secret(url("localhost", verify()));
    Pool pool(io.get_executor(), "tls", 1, config, metrics);
    for (const int size : {1'000, 8'191, 8'192, 16'384, 16'385, 40'000, 1'000'003, 20'000'000}) {
        Params params;
        params.integer(size);
        EXPECT_EQ(value(pool, "SELECT repeat('z', $1)", params).size(),
                  static_cast<std::size_t>(size));
    }
    const std::string big(20'000'000, 'q');
    Params params;
    params.text(big);
    EXPECT_EQ(value(pool, "SELECT length($1)", params), "20000000");
    // Many small ones, so that records end anywhere.
    const Rows rows = run(pool.execute({"rows",
                                        "SELECT repeat('r', n % 97) FROM "
                                        "generate_series(1, 200000) AS n"}));
    EXPECT_EQ(rows.size(), 200'000);
}

TEST_F(PgTls, AServerThatGoesAwayIsNoticedWhileIdle) {
    DatabaseConfig config = db.config();
    config.url = Secret(url("localhost", verify()));
    Pool pool(io.get_executor(), "tls", 1, config, metrics);
    value(pool, "SELECT 1");
    inside.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
        "current_database() AND pid <> pg_backend_pid()");
    ASSERT_TRUE(until([&] {
        return inside.sql(
                   "SELECT count(*) FROM pg_stat_activity WHERE datname = "
                   "current_database() AND pid <> pg_backend_pid()") == "0";
    }));
    EXPECT_EQ(value(pool, "SELECT 'again'"), "again");
}

}  // namespace
}  // namespace rollcall::pg
