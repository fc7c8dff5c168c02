// A PostgreSQL of our own for `rollcall dev`: its data in one folder, reached by a unix socket
// only, gone from the process table when we are, whatever way we end. As an ordinary user it runs
// under the same account; as root, where PostgreSQL refuses to run, under `postgres` (else
// `nobody`), with its data below /var/tmp, because that account cannot read a folder in root's
// home.
#pragma once

#include "base/result.hpp"

#include <sys/types.h>
#include <string>

namespace rollcall::cli {

class PrivatePostgres {
public:
    // `state_dir` is made when absent; the same folder finds the same data again. Data outside of
    // it belongs to it by a mark in both: a new folder of the same name starts anew.
    explicit PrivatePostgres(std::string state_dir);
    ~PrivatePostgres();  // stops the server
    PrivatePostgres(const PrivatePostgres&) = delete;
    PrivatePostgres& operator=(const PrivatePostgres&) = delete;

    // Creates the cluster on the first call ever, then starts it and returns once it accepts
    // connections. The server of a process that was killed may still be going: that is waited for.
    // Blocks up to a minute for each of the two. No PostgreSQL installed, a second process on the
    // same folder, or a server that does not come up: an error that says what to do.
    Result<void> start();
    // Fast shutdown; returns when the server is gone.
    void stop();

    [[nodiscard]] std::string url() const;  // libpq URI of database `rollcall`
    [[nodiscard]] const std::string& data_dir() const { return data_dir_; }
    [[nodiscard]] const std::string& log_file() const { return log_file_; }
    [[nodiscard]] bool first_start() const { return first_start_; }

private:
    Result<void> prepare_folders();
    Result<void> wait_for_last_server();
    [[nodiscard]] bool has_cluster() const;
    Result<void> create_cluster();
    Result<void> wait_until_ready();
    Result<int> run_and_wait(const std::string& program, const std::string& arguments,
                             const std::string& input);

    std::string state_dir_;
    std::string bin_dir_;
    std::string data_dir_;
    std::string mark_file_;  // in state_dir_
    std::string socket_dir_;
    std::string log_file_;
    uid_t user_ = 0;  // the server's account when we are root
    gid_t group_ = 0;
    int lock_ = -1;
    pid_t server_ = -1;
    bool first_start_ = false;
};

}  // namespace rollcall::cli
