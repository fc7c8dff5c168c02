// One attempt to open a connection: resolve, connect, TLS and login, within the configured limit
// over all addresses. An address that does not answer leaves time for the next ones, and is tried
// last by later attempts.
#pragma once

#include "base/task.hpp"
#include "pg/failure.hpp"
#include "pg/pool.hpp"

#include <cstddef>
#include <memory>

namespace rollcall::pg {

class Connection;
struct Address;

class Opening {
public:
    // `config` must outlive run(). `first_address` is kept by the caller between attempts.
    Opening(Executor executor, const DatabaseConfig& config, std::size_t& first_address);
    ~Opening();
    Opening(const Opening&) = delete;
    Opening& operator=(const Opening&) = delete;

    Task<Outcome<std::shared_ptr<Connection>>> run();
    // Makes run() end soon, with a failure.
    void cancel();

private:
    struct Dial;
    std::shared_ptr<Dial> dial_;
};

}  // namespace rollcall::pg
