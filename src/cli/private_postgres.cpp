#include "cli/private_postgres.hpp"

#include "base/random.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <vector>

namespace rollcall::cli {
namespace {

namespace fs = std::filesystem;

constexpr int oldest_version = 14;
// Written last of a new cluster, into its data.
constexpr const char* complete_file = "/rollcall-ok";
constexpr auto start_limit = std::chrono::seconds(60);
constexpr auto last_server_limit = std::chrono::seconds(60);
constexpr auto stop_limit = std::chrono::seconds(15);

std::unexpected<Error> cannot(const std::string& what) {
    return fail(ErrorCode::unavailable, what);
}

// The newest installed server's folder of programs; Debian keeps them out of PATH.
std::string find_server_programs() {
    std::string best;
    int best_version = 0;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
        const std::string name = entry.path().filename().string();
        int version = 0;
        std::from_chars(name.data(), name.data() + name.size(), version);
        const fs::path bin = entry.path() / "bin";
        if (version > best_version && version >= oldest_version &&
            fs::exists(bin / "initdb", ignored) && fs::exists(bin / "postgres", ignored)) {
            best_version = version;
            best = bin.string();
        }
    }
    return best;
}

// Milliseconds of waiting without a busy loop, outside the event loop.
void pause_for(std::chrono::milliseconds time) {
    poll(nullptr, 0, static_cast<int>(time.count()));
}

bool wait_for_exit(pid_t pid, std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (waitpid(pid, nullptr, WNOHANG) == 0) {
        if (std::chrono::steady_clock::now() > end) return false;
        pause_for(std::chrono::milliseconds(20));
    }
    return true;
}

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The process that serves `data_dir`, 0 when there is none. The file that names it may be left over
// and the number another's by now; a server works inside its data.
pid_t server_in(const std::string& data_dir) {
    pid_t pid = 0;
    std::ifstream(data_dir + "/postmaster.pid") >> pid;
    if (pid <= 0) return 0;
    std::error_code error;
    const fs::path at = fs::read_symlink(fmt::format("/proc/{}/cwd", pid), error);
    return !error && at == fs::path(data_dir) ? pid : 0;
}

// A folder that is ours alone (0700, the given owner), not a link somebody else planted.
Result<void> make_private_folder(const std::string& path, uid_t owner, gid_t group) {
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        return cannot(fmt::format("cannot create {}: {}", path, std::strerror(errno)));
    }
    const int folder = open(path.c_str(), O_DIRECTORY | O_NOFOLLOW | O_RDONLY | O_CLOEXEC);
    if (folder < 0) return cannot(fmt::format("{} is not a folder of ours", path));
    struct stat facts{};
    const bool ours =
        fstat(folder, &facts) == 0 && (facts.st_uid == owner || facts.st_uid == geteuid()) &&
        fchmod(folder, 0700) == 0 && (facts.st_uid == owner || fchown(folder, owner, group) == 0);
    close(folder);
    if (!ours) return cannot(fmt::format("{} belongs to somebody else; remove it", path));
    return {};
}

// In the child: become the server's account for good, and go when the parent goes.
void become(uid_t user, gid_t group, pid_t parent) {
    setsid();  // a terminal's Ctrl-C is for us; we stop the server in order
    if (geteuid() == 0) {
        if (setgroups(0, nullptr) != 0 || setgid(group) != 0 || setuid(user) != 0) _exit(126);
    }
    // After setuid, which clears it. SIGINT is PostgreSQL's fast shutdown.
    prctl(PR_SET_PDEATHSIG, SIGINT);
    if (getppid() != parent) _exit(125);
    if (chdir("/") != 0) _exit(126);
}

pid_t launch(const std::vector<std::string>& command, uid_t user, gid_t group, int input,
             const std::string& log_file) {
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) {
        become(user, group, parent);
        dup2(input, STDIN_FILENO);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        const char* environment[] = {"LC_ALL=C.UTF-8", "TZ=UTC", "PATH=/usr/bin:/bin", nullptr};
        execve(arguments[0], arguments.data(), const_cast<char**>(environment));
        _exit(127);
    }
    if (log >= 0) close(log);
    return child;
}

}  // namespace

PrivatePostgres::PrivatePostgres(std::string state_dir) : state_dir_(std::move(state_dir)) {}

PrivatePostgres::~PrivatePostgres() {
    stop();
    if (lock_ >= 0) close(lock_);
}

Result<void> PrivatePostgres::start() {
    bin_dir_ = find_server_programs();
    if (bin_dir_.empty()) {
        return cannot(
            "no PostgreSQL server (14 or newer) below /usr/lib/postgresql; "
            "install it, on Debian: apt-get install postgresql-15");
    }
    if (auto made = prepare_folders(); !made) return made;
    if (auto ended = wait_for_last_server(); !ended) return ended;
    first_start_ = !has_cluster();
    if (first_start_) {
        if (auto created = create_cluster(); !created) return created;
    }
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    server_ = launch({bin_dir_ + "/postgres", "-D", data_dir_, "-k", socket_dir_, "-c",
                      "listen_addresses=", "-c", "unix_socket_permissions=0700", "-c",
                      "shared_buffers=128MB", "-c", "max_wal_size=1GB"},
                     user_, group_, nothing, log_file_);
    close(nothing);
    if (server_ < 0) return cannot("cannot start PostgreSQL: fork failed");
    return wait_until_ready();
}

Result<void> PrivatePostgres::prepare_folders() {
    std::error_code error;
    fs::create_directories(state_dir_, error);
    if (error) return cannot(fmt::format("cannot create {}: {}", state_dir_, error.message()));
    state_dir_ = fs::canonical(state_dir_, error).string();
    lock_ = open((state_dir_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_ < 0 || flock(lock_, LOCK_EX | LOCK_NB) != 0) {
        return fail(ErrorCode::conflict,
                    fmt::format("another `rollcall dev` runs on {}; stop it, or name another "
                                "folder with --state",
                                state_dir_));
    }
    user_ = geteuid();
    group_ = getegid();
    // The path is hashed, so that two clones never share a server and socket paths stay short.
    const std::string mark =
        fmt::format("{}-{:08x}", geteuid(), std::hash<std::string>{}(state_dir_) & 0xffffffff);
    std::string home = state_dir_;
    if (user_ == 0) {
        const passwd* account = getpwnam("postgres");
        if (account == nullptr) account = getpwnam("nobody");
        if (account == nullptr) return cannot("no account `postgres` or `nobody` to run under");
        user_ = account->pw_uid;
        group_ = account->pw_gid;
        home = "/var/tmp/rollcall-dev-" + mark;
        if (auto made = make_private_folder(home, user_, group_); !made) return made;
    }
    data_dir_ = home + "/postgres";
    mark_file_ = state_dir_ + "/cluster";
    log_file_ = home + "/postgres.log";
    socket_dir_ = "/tmp/rollcall-dev-" + mark;
    return make_private_folder(socket_dir_, user_, group_);
}

// A server that lost its parent shuts down by itself, but takes as long as its last checkpoint. Our
// lock says that no other process of ours has one here.
Result<void> PrivatePostgres::wait_for_last_server() {
    const auto end = std::chrono::steady_clock::now() + last_server_limit;
    pid_t server = server_in(data_dir_);
    if (server > 0) kill(server, SIGINT);
    for (; server > 0; server = server_in(data_dir_)) {
        if (std::chrono::steady_clock::now() > end) {
            return cannot(fmt::format(
                "the PostgreSQL of an earlier run, process {}, does not end; its words are in {}",
                server, log_file_));
        }
        pause_for(std::chrono::milliseconds(30));
    }
    return {};
}

bool PrivatePostgres::has_cluster() const {
    const std::string mark = text_of(mark_file_);
    return fs::exists(data_dir_ + "/PG_VERSION") && !mark.empty() &&
           text_of(data_dir_ + complete_file) == mark;
}

Result<int> PrivatePostgres::run_and_wait(const std::string& program, const std::string& arguments,
                                          const std::string& input) {
    std::vector<std::string> command{bin_dir_ + "/" + program};
    for (std::size_t at = 0; at < arguments.size();) {
        const std::size_t end = std::min(arguments.find('\n', at), arguments.size());
        command.push_back(arguments.substr(at, end - at));
        at = end + 1;
    }
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) return cannot("pipe failed");
    const pid_t child = launch(command, user_, group_, pipe_ends[0], log_file_);
    close(pipe_ends[0]);
    const auto written = write(pipe_ends[1], input.data(), input.size());
    close(pipe_ends[1]);
    int status = -1;
    if (child < 0 || written < 0 || waitpid(child, &status, 0) != child) {
        return cannot(fmt::format("cannot run {}", program));
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Result<void> PrivatePostgres::create_cluster() {
    std::error_code ignored;
    fs::remove_all(data_dir_, ignored);  // what an interrupted first start left
    const auto made = run_and_wait("initdb",
                                   fmt::format("-D\n{}\n-U\nrollcall\n-A\ntrust\n-E\nUTF8\n"
                                               "--locale=C.UTF-8\n--no-instructions",
                                               data_dir_),
                                   "");
    if (!made) return std::unexpected(made.error());
    if (*made != 0) {
        return cannot(fmt::format("initdb failed; its words are in {}", log_file_));
    }
    const auto created =
        run_and_wait("postgres", fmt::format("--single\n-D\n{}\npostgres", data_dir_),
                     "CREATE DATABASE rollcall;\n");
    if (!created) return std::unexpected(created.error());
    if (*created != 0) {
        return cannot(fmt::format("cannot create the database; see {}", log_file_));
    }
    Random random;
    const std::string mark = fmt::format("{:016x}\n", random.next());
    for (const std::string& path : {mark_file_, data_dir_ + complete_file}) {
        std::ofstream file(path);
        file << mark << std::flush;
        if (!file) return cannot(fmt::format("cannot write {}", path));
    }
    return {};
}

Result<void> PrivatePostgres::wait_until_ready() {
    const auto end = std::chrono::steady_clock::now() + start_limit;
    const std::string conninfo = url();
    while (std::chrono::steady_clock::now() < end) {
        if (PQping(conninfo.c_str()) == PQPING_OK) return {};
        if (waitpid(server_, nullptr, WNOHANG) != 0) {
            server_ = -1;
            return cannot(fmt::format("PostgreSQL ended at once; its words are in {}", log_file_));
        }
        pause_for(std::chrono::milliseconds(30));
    }
    return cannot(fmt::format("PostgreSQL did not come up; its words are in {}", log_file_));
}

void PrivatePostgres::stop() {
    if (server_ <= 0) return;
    kill(server_, SIGINT);
    if (!wait_for_exit(server_, stop_limit)) {
        kill(server_, SIGQUIT);
        wait_for_exit(server_, stop_limit);
    }
    server_ = -1;
    std::error_code ignored;
    fs::remove_all(socket_dir_, ignored);
}

std::string PrivatePostgres::url() const {
    return fmt::format("postgresql:///rollcall?host={}&user=rollcall", socket_dir_);
}

}  // namespace rollcall::cli
