// A Supabase Auth (GoTrue) to develop against, on this machine only: the admin routes for users
// with the shapes, error forms and oddities of the real one, and switches that make it behave
// badly. It has a listener of its own, so that it can be away. Not for production: it takes no key
// of a real project and serves nothing but loopback addresses. docs/simulator.md is its manual.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "http/server.hpp"
#include "sim/auth_instance.hpp"
#include "sim/auth_keys.hpp"
#include "sim/faults.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace rollcall::sim {

struct AuthSimulatorConfig {
    // Where it serves: a loopback address and a port; port 0 takes any free one.
    std::string listen = "127.0.0.1:0";
    // What callers may show; the first one is told to people.
    std::vector<std::string> keys = made_up_auth_keys();
    // As a server without the hosted gateway: no /auth/v1 before its paths, and JWTs alone.
    bool bare = false;
};

// What start() checks before it does anything.
[[nodiscard]] Result<void> check(const AuthSimulatorConfig& config);

class AuthSimulator {
public:
    // Binds nothing yet. `faults` and `clock` must outlive this and all its requests; metrics are
    // shared with other servers of the process. Destroy it only after drain(), or together with
    // the event loop.
    AuthSimulator(Executor executor, AuthSimulatorConfig config, Faults& faults, std::uint64_t seed,
                  std::shared_ptr<http::ServerMetrics> metrics, const Clock& clock = real_clock());
    ~AuthSimulator();
    AuthSimulator(const AuthSimulator&) = delete;
    AuthSimulator& operator=(const AuthSimulator&) = delete;

    // Checks the configuration and binds, unless the faults say that it is down: then it only finds
    // its port. bad_configuration says what is not allowed.
    [[nodiscard]] Result<void> start();

    // After start().
    [[nodiscard]] unsigned short port() const;
    [[nodiscard]] std::string url() const;  // http://127.0.0.1:PORT, for SUPABASE_URL
    [[nodiscard]] std::string key() const;  // the first one
    [[nodiscard]] bool listening() const;
    [[nodiscard]] AuthInstance& instance() const;  // users and counts

    // To be called when the faults may have changed: closes the port and all connections when it
    // is to be down, and takes the same port again afterwards.
    void follow_faults();

    // Stops serving, at most `limit` for what is under way. Calling it twice does no harm.
    Task<> drain(std::chrono::milliseconds limit);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace rollcall::sim
