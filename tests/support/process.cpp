#include "support/process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace rollcall::test {

namespace fs = std::filesystem;

Account server_account() {
    if (geteuid() != 0) return {.user = geteuid(), .group = getegid()};
    for (const char* name : {"postgres", "nobody"}) {
        if (const passwd* const entry = getpwnam(name)) {
            return {.user = entry->pw_uid, .group = entry->pw_gid};
        }
    }
    throw std::runtime_error("root cannot run PostgreSQL, and there is no other account for it");
}

pid_t start_process(const std::vector<std::string>& command, const Account& account,
                    const fs::path& log, int death_signal) {
    std::vector<char*> arguments;
    for (const std::string& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
    arguments.push_back(nullptr);
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (child > 0) return child;

    // From here on only what is safe between fork and exec.
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    setsid();
    if (geteuid() == 0 &&
        (setgroups(0, nullptr) != 0 || setgid(account.group) != 0 || setuid(account.user) != 0)) {
        _exit(126);
    }
    // After setuid, which would clear it.
    if (death_signal != 0) prctl(PR_SET_PDEATHSIG, death_signal);
    if (getppid() != parent || chdir("/") != 0) _exit(126);
    execv(arguments[0], arguments.data());
    _exit(127);
}

void run_process(const std::vector<std::string>& command, const Account& account,
                 const fs::path& log) {
    const pid_t child = start_process(command, account, log, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        throw std::runtime_error(command.front() + " failed: " + tail(log));
    }
}

std::string tail(const fs::path& log) {
    std::ifstream file(log);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    return text.substr(text.size() - std::min<std::size_t>(text.size(), 2000));
}

fs::path postgres_binaries() {
    std::vector<fs::path> candidates;
    if (std::FILE* const pipe = popen("pg_config --bindir 2>/dev/null", "r")) {
        char line[1024] = {};
        if (std::fgets(line, sizeof line, pipe) != nullptr) {
            std::string path(line);
            while (path.ends_with('\n')) path.pop_back();
            candidates.emplace_back(path);
        }
        pclose(pipe);
    }
    std::error_code error;
    for (fs::directory_iterator it("/usr/lib/postgresql", error), end; !error && it != end; ++it) {
        candidates.push_back(it->path() / "bin");
    }
    if (candidates.size() > 1)
        std::ranges::sort(candidates.begin() + 1, candidates.end(), std::greater());
    for (const fs::path& path : candidates) {
        if (fs::exists(path / "postgres") && fs::exists(path / "initdb")) return path;
    }
    throw std::runtime_error("no PostgreSQL server programs found (package postgresql-15)");
}

}  // namespace rollcall::test
