// A PostgreSQL of the test's own: a private cluster under /tmp, listening on a Unix socket there
// and on a port of the loopback interface. It ends with the test program, however that ends. Works
// as an ordinary user, and as root, when the server runs as `postgres` (or `nobody`).
//
// ROLLCALL_TEST_POSTGRES=<conninfo> names a running server for shared() instead; tests that stop
// their server always make a Postgres of their own.
#pragma once

#include "pg/pool.hpp"

#include <sys/types.h>
#include <chrono>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::test {

class Postgres {
public:
    struct Options {
        std::vector<std::string> settings{};  // "name=value", over what tests use otherwise
        bool durable = false;                 // fsync and full_page_writes on
        bool tls = false;                     // with ca_file(), for the host name "localhost"
    };
    Postgres();
    explicit Postgres(Options options);
    ~Postgres();
    Postgres(const Postgres&) = delete;
    Postgres& operator=(const Postgres&) = delete;

    // One for the whole program, started when first asked for.
    static Postgres& shared();

    // Connection strings (URIs), through the socket and through TCP.
    [[nodiscard]] std::string url(std::string_view database = "postgres") const;
    [[nodiscard]] std::string tcp_url(std::string_view database = "postgres") const;
    [[nodiscard]] std::string socket_path() const;
    [[nodiscard]] int port() const { return port_; }
    [[nodiscard]] std::string ca_file() const;
    [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }

    void start();                   // returns when it accepts connections
    void stop();                    // "fast": sessions are ended, transactions rolled back
    void stop_immediate();          // as if the power went
    void restart();                 // immediate stop, start with crash recovery
    void signal(int number) const;  // to the postmaster: SIGSTOP, SIGCONT, SIGHUP

    // The template database with everything in migrations/ applied; made when first asked for.
    [[nodiscard]] std::string migrated_template();

private:
    struct External {};
    struct Owner;
    explicit Postgres(External external);
    void create_cluster();
    void make_certificates() const;
    void stop(int signal_number);
    [[nodiscard]] std::vector<std::string> command_line() const;

    Options options_;
    std::filesystem::path directory_;
    std::unique_ptr<Owner> owner_;  // says that the directory is in use
    std::string external_;          // conninfo
    std::string template_;
    int port_ = 0;
    pid_t pid_ = 0;
};

// Applies everything in migrations/ to the database at `url`, as `rollcall migrate` does.
void migrate(const std::string& url);

// A database for one test, dropped after it.
class Database {
public:
    enum class Content : unsigned char { empty, migrated };
    explicit Database(Content content = Content::empty, Postgres& server = Postgres::shared());
    explicit Database(Postgres& server) : Database(Content::empty, server) {}
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] std::string url() const { return server_.url(name_); }
    [[nodiscard]] std::string tcp_url() const { return server_.tcp_url(name_); }
    [[nodiscard]] Postgres& server() const { return server_; }
    // Limits short enough for tests.
    [[nodiscard]] pg::DatabaseConfig config() const;

    // For setting up and looking after: SQL text on a connection of its own, blocking. The value
    // is the first column of the first row, "" for NULL or no row; an error is thrown.
    std::string sql(const std::string& text) const;
    // The same where a transaction of this thread's own loop may hold the lock that `text` needs:
    // runs the loop instead of waiting, which would be for ever, and tries again.
    std::string sql(const std::string& text, asio::io_context& loop) const;

    // Makes the table "commits": the synchronous_commit that each later transaction which does
    // `operation` ("INSERT") to job_queue ends with.
    void note_commits(const std::string& operation) const;

private:
    Postgres& server_;
    std::string name_;
};

// The same on any connection string. With a limit (0 ms: none), LockTimeout when it has waited so
// long for a lock.
struct LockTimeout : std::runtime_error {
    using std::runtime_error::runtime_error;
};
std::string sql(const std::string& url, const std::string& text,
                std::chrono::milliseconds lock_timeout = {});

}  // namespace rollcall::test
