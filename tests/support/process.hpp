// Programs that tests run, as the account that may run a PostgreSQL server.
#pragma once

#include <sys/types.h>
#include <filesystem>
#include <string>
#include <vector>

namespace rollcall::test {

struct Account {
    uid_t user;
    gid_t group;
};
// Ourselves, or `postgres` or `nobody` when we are root, which PostgreSQL refuses.
Account server_account();

// Starts `command`, output appended to `log`. It gets `death_signal` when this process ends.
pid_t start_process(const std::vector<std::string>& command, const Account& account,
                    const std::filesystem::path& log, int death_signal);
// Runs it to its end; throws with the end of the log unless it returns 0.
void run_process(const std::vector<std::string>& command, const Account& account,
                 const std::filesystem::path& log);

std::string tail(const std::filesystem::path& log);

// Where PostgreSQL's programs are; the newest version installed.
std::filesystem::path postgres_binaries();

}  // namespace rollcall::test
