#include "support/postgres.hpp"

#include "base/embedded_file.hpp"
#include "pg/migrator.hpp"
#include "support/process.hpp"
#include "support/run.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

namespace rollcall::test {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = "rollcall-test-";

void give(const fs::path& path, const Account& account) {
    if (geteuid() == 0 && lchown(path.c_str(), account.user, account.group) != 0) {
        throw std::runtime_error("cannot chown " + path.string());
    }
}

class FileLock {
public:
    // Waits for the lock, or does without when it must not wait.
    FileLock(const fs::path& path, bool wait)
        : fd_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)),
          held_(fd_ >= 0 && flock(fd_, wait ? LOCK_EX : LOCK_EX | LOCK_NB) == 0) {}
    ~FileLock() {
        if (fd_ >= 0) close(fd_);
    }
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;

    [[nodiscard]] bool held() const { return held_; }

private:
    int fd_;
    bool held_;
};

// Those of test programs that were killed: nobody holds the lock any more.
void remove_stale_directories() {
    std::error_code error;
    for (fs::directory_iterator it("/tmp", error), end; !error && it != end; it.increment(error)) {
        const fs::path lock = it->path() / "owner.lock";
        std::error_code ignored;
        if (!it->path().filename().string().starts_with(prefix) || !fs::exists(lock, ignored) ||
            !FileLock(lock, /*wait=*/false).held()) {
            continue;
        }
        fs::remove_all(it->path(), ignored);
    }
}

int free_port() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    const bool bound = bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                       getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
    close(fd);
    if (!bound) throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
}

// A fresh cluster takes most of a second to make and a tenth of one to copy.
fs::path cluster_template(const Account& account, const fs::path& log) {
    const fs::path binaries = postgres_binaries();
    std::string version = binaries.string();
    std::ranges::replace(version, '/', '_');
    const std::string base = "/tmp/rollcall-pgdata-" + std::to_string(geteuid());
    const FileLock lock(base + ".lock", /*wait=*/true);
    if (!lock.held()) throw std::runtime_error("cannot lock " + base + ".lock");
    const fs::path ready = base + version;
    struct stat info{};
    if (lstat(ready.c_str(), &info) == 0) {
        if (S_ISDIR(info.st_mode) && info.st_uid == account.user) return ready;
        throw std::runtime_error(ready.string() + " is somebody else's");
    }
    const fs::path making = ready.string() + ".new";
    fs::remove_all(making);
    fs::create_directory(making);
    give(making, account);
    run_process({binaries / "initdb", "--no-sync", "--auth=trust", "--username=postgres",
                 "--locale=C.UTF-8", "--encoding=UTF8", "-D", making.string()},
                account, log);
    fs::rename(making, ready);
    return ready;
}

}  // namespace

struct Postgres::Owner : FileLock {
    using FileLock::FileLock;
};

namespace {

struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
};

std::string with_database(const std::string& conninfo, std::string_view database) {
    char* error = nullptr;
    PQconninfoOption* const options = PQconninfoParse(conninfo.c_str(), &error);
    if (options == nullptr) throw std::runtime_error("ROLLCALL_TEST_POSTGRES is malformed");
    std::string result;
    for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
        if (option->val == nullptr || std::string_view(option->keyword) == "dbname") continue;
        result.append(option->keyword).append("='");
        for (const char* c = option->val; *c != '\0'; ++c) {
            if (*c == '\'' || *c == '\\') result.push_back('\\');
            result.push_back(*c);
        }
        result.append("' ");
    }
    PQconninfoFree(options);
    return result.append("dbname='").append(database).append("'");
}

}  // namespace

std::string sql(const std::string& url, const std::string& text,
                std::chrono::milliseconds lock_timeout) {
    const std::unique_ptr<PGconn, Finish> connection(PQconnectdb(url.c_str()));
    if (PQstatus(connection.get()) != CONNECTION_OK) {
        throw std::runtime_error(PQerrorMessage(connection.get()));
    }
    if (lock_timeout.count() > 0) {
        const std::string limit = "SET lock_timeout = " + std::to_string(lock_timeout.count());
        PQclear(PQexec(connection.get(), limit.c_str()));
    }
    const std::unique_ptr<PGresult, Clear> result(PQexec(connection.get(), text.c_str()));
    const char* const state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    if (state != nullptr && std::string_view(state) == "55P03") throw LockTimeout(text);
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        throw std::runtime_error(text + ": " + PQerrorMessage(connection.get()));
    }
    return PQntuples(result.get()) == 0 ? "" : PQgetvalue(result.get(), 0, 0);
}

Postgres::Postgres() : Postgres(Options{}) {}

Postgres::Postgres(Options options) : options_(std::move(options)) {
    remove_stale_directories();
    std::string name = "/tmp/" + std::string(prefix) + std::to_string(getpid()) + "-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    directory_ = name;
    const Account account = server_account();
    owner_ = std::make_unique<Owner>(directory_ / "owner.lock", /*wait=*/true);
    fs::permissions(directory_, fs::perms(0755));
    give(directory_, account);
    create_cluster();
    if (options_.tls) make_certificates();
    start();
}

Postgres::Postgres(External /*external*/) : external_(getenv("ROLLCALL_TEST_POSTGRES")) {}

Postgres::~Postgres() {
    if (!external_.empty()) {
        if (!template_.empty()) sql(url(), "DROP DATABASE IF EXISTS " + template_);
        return;
    }
    if (pid_ != 0) stop(SIGQUIT);
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
}

Postgres& Postgres::shared() {
    static const std::unique_ptr<Postgres> server(
        getenv("ROLLCALL_TEST_POSTGRES") != nullptr ? new Postgres(External{}) : new Postgres());
    return *server;
}

void Postgres::create_cluster() {
    const Account account = server_account();
    const fs::path source = cluster_template(account, directory_ / "server.log");
    run_process(
        {"/bin/cp", "-a", "--reflink=auto", source.string(), (directory_ / "data").string()},
        account, directory_ / "server.log");
}

// A CA of our own, and a certificate of it for "localhost" alone.
void Postgres::make_certificates() const {
    const Account account = server_account();
    const fs::path log = directory_ / "server.log";
    const auto file = [&](const char* name) { return (directory_ / name).string(); };
    const std::string openssl = "/usr/bin/openssl";
    run_process({openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                 "/CN=rollcall test CA", "-keyout", file("ca.key"), "-out", file("ca.crt")},
                account, log);
    run_process(
        {openssl, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", file("server.key"), "-out", file("server.csr")},
        account, log);
    run_process({openssl, "x509", "-req", "-in", file("server.csr"), "-CA", file("ca.crt"),
                 "-CAkey", file("ca.key"), "-CAcreateserial", "-days", "2", "-copy_extensions",
                 "copy", "-out", file("server.crt")},
                account, log);
    fs::permissions(directory_ / "server.key", fs::perms(0600));
}

std::vector<std::string> Postgres::command_line() const {
    std::vector<std::string> command{postgres_binaries() / "postgres",
                                     "-D",
                                     (directory_ / "data").string(),
                                     "-k",
                                     directory_.string(),
                                     "-h",
                                     "127.0.0.1",
                                     "-p",
                                     std::to_string(port_)};
    std::vector<std::string> settings{"timezone=UTC", "max_connections=120", "shared_buffers=64MB",
                                      "logging_collector=off"};
    if (!options_.durable) {
        // A server killed hard keeps what it acknowledged: the kernel lives on.
        settings.insert(settings.end(), {"fsync=off", "full_page_writes=off"});
    }
    if (options_.tls) {
        settings.emplace_back("ssl=on");
        settings.push_back("ssl_cert_file=" + (directory_ / "server.crt").string());
        settings.push_back("ssl_key_file=" + (directory_ / "server.key").string());
    }
    settings.insert(settings.end(), options_.settings.begin(), options_.settings.end());
    for (const std::string& setting : settings) {
        command.emplace_back("-c");
        command.push_back(setting);
    }
    return command;
}

void Postgres::start() {
    if (!external_.empty()) throw std::runtime_error("this server is not the test's own");
    const fs::path log = directory_ / "server.log";
    const bool keeps_port = port_ != 0;
    for (int attempt = 0; attempt < 5; ++attempt) {
        if (!keeps_port) port_ = free_port();
        pid_ = start_process(command_line(), server_account(), log, SIGQUIT);
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (std::chrono::steady_clock::now() < end) {
            if (PQping(url().c_str()) == PQPING_OK) return;
            int status = 0;
            if (waitpid(pid_, &status, WNOHANG) == pid_) {  // another program took the port
                pid_ = 0;
                break;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        if (pid_ != 0) stop(SIGQUIT);
    }
    throw std::runtime_error("PostgreSQL does not start: " + tail(log));
}

void Postgres::stop(int signal_number) {
    if (pid_ == 0) throw std::runtime_error("this server is not the test's own, or is stopped");
    kill(pid_, signal_number);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    int status = 0;
    while (waitpid(pid_, &status, WNOHANG) == 0) {
        if (std::chrono::steady_clock::now() > end) kill(pid_, SIGKILL);
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    pid_ = 0;
}

void Postgres::stop() {
    stop(SIGINT);
}
void Postgres::stop_immediate() {
    stop(SIGQUIT);
}

void Postgres::restart() {
    stop_immediate();
    start();
}

void Postgres::signal(int number) const {
    if (pid_ == 0) throw std::runtime_error("this server is not the test's own, or is stopped");
    kill(pid_, number);
}

std::string Postgres::url(std::string_view database) const {
    if (!external_.empty()) return with_database(external_, database);
    std::string host = directory_.string();
    for (std::size_t at = 0; (at = host.find('/', at)) != std::string::npos;) {
        host.replace(at, 1, "%2F");
    }
    return "postgresql://postgres@" + host + ":" + std::to_string(port_) + "/" +
           std::string(database);
}

std::string Postgres::tcp_url(std::string_view database) const {
    if (!external_.empty()) return with_database(external_, database);
    return "postgresql://postgres@127.0.0.1:" + std::to_string(port_) + "/" + std::string(database);
}

std::string Postgres::socket_path() const {
    return (directory_ / (".s.PGSQL." + std::to_string(port_))).string();
}

std::string Postgres::ca_file() const {
    return (directory_ / "ca.crt").string();
}

void migrate(const std::string& url) {
    std::vector<std::pair<std::string, std::string>> texts;
    for (const auto& entry : fs::directory_iterator(ROLLCALL_SOURCE_DIR "/migrations")) {
        if (entry.path().extension() != ".sql") continue;
        std::ifstream file(entry.path());
        texts.emplace_back(entry.path().filename().string(),
                           std::string((std::istreambuf_iterator<char>(file)), {}));
    }
    std::ranges::sort(texts);
    std::vector<EmbeddedFile> files;
    for (const auto& [file, text] : texts) files.push_back({.name = file, .text = text});

    asio::io_context io;
    MetricsRegistry metrics;
    pg::DatabaseConfig config;
    config.url = Secret(url);
    pg::Pool pool(io.get_executor(), "migrate", 1, config, metrics);
    pg::Migrator migrator(pool, files);
    const auto applied = run(io, migrator.apply());
    if (!applied) throw std::runtime_error(applied.error().message);
    run(io, pool.stop());
}

std::string Postgres::migrated_template() {
    if (!template_.empty()) return template_;
    const std::string name = "rollcall_template_" + std::to_string(getpid());
    sql(url(), "CREATE DATABASE " + name);
    migrate(url(name));
    // CREATE DATABASE wants the template for itself, and the server may still be hanging up.
    sql(url(), "ALTER DATABASE " + name + " ALLOW_CONNECTIONS false");
    while (sql(url(), "SELECT count(*) FROM pg_stat_activity WHERE datname = '" + name + "'") !=
           "0") {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    template_ = name;
    return template_;
}

Database::Database(Content content, Postgres& server) : server_(server) {
    static int number = 0;
    name_ = "rollcall_test_" + std::to_string(getpid()) + "_" + std::to_string(++number);
    std::string create = "CREATE DATABASE " + name_;
    if (content == Content::migrated) create += " TEMPLATE " + server.migrated_template();
    test::sql(server_.url(), create);
}

Database::~Database() {
    const std::unique_ptr<PGconn, Finish> connection(PQconnectdb(server_.url().c_str()));
    const std::string drop = "DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)";
    // A server that the test has stopped takes its databases with it.
    const std::unique_ptr<PGresult, Clear> result(PQexec(connection.get(), drop.c_str()));
}

pg::DatabaseConfig Database::config() const {
    pg::DatabaseConfig config;
    config.url = Secret(url());
    config.connect_timeout = std::chrono::seconds(10);
    config.statement_timeout = std::chrono::seconds(20);
    config.acquire_timeout = std::chrono::seconds(10);
    config.reconnect = {.base = std::chrono::milliseconds(20),
                        .max = std::chrono::milliseconds(200)};
    return config;
}

std::string Database::sql(const std::string& text) const {
    return test::sql(url(), text, deadline);
}

std::string Database::sql(const std::string& text, asio::io_context& loop) const {
    using namespace std::chrono_literals;
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (true) {
        try {
            return test::sql(url(), text, 20ms);
        } catch (const LockTimeout&) {
            if (std::chrono::steady_clock::now() >= end) throw;
            (void)wait_until(loop, [] { return false; }, 20ms);
        }
    }
}

void Database::note_commits(const std::string& operation) const {
    sql("CREATE TABLE public.commits (setting text);"
        "CREATE FUNCTION public.note_commit() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        "INSERT INTO public.commits VALUES (current_setting('synchronous_commit')); RETURN NULL; "
        "END$$;"
        "CREATE CONSTRAINT TRIGGER note_commit AFTER " +
        operation +
        " ON public.job_queue DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "EXECUTE FUNCTION public.note_commit()");
}

}  // namespace rollcall::test
