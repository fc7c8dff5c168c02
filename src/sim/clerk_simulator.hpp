// A Clerk to develop against, on this machine only: users and sessions through the Backend API's
// routes and shapes, session tokens and their keys, signed webhooks delivered on Svix's schedule,
// and switches that make both behave badly; on request a Supabase Auth beside it, steered by the
// same control routes. Lives in the caller's event loop: alone under `rollcall sim`, beside the
// service under `rollcall dev`. Not for production: it takes no live key and neither serves nor
// calls anything but loopback addresses. docs/simulator.md is its manual.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "http/server.hpp"
#include "sim/auth_simulator.hpp"
#include "sim/clerk_instance.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rollcall::sim {

struct ClerkSimulatorConfig {
    // Where it serves: a loopback address and a port; port 0 takes any free one.
    std::string listen = "127.0.0.1:0";
    // The key that callers must show. Only test keys: sk_test_….
    std::string secret_key = "sk_test_rollcall_simulator";
    // A PRIVATE KEY of RSA in PEM that signs tokens first; empty: one is made.
    Secret signing_key;
    // Where events go; empty: they are kept as missing until an endpoint is set.
    std::string webhook_url;
    // The current one first, then those that are still valid for a day, as during a rotation.
    // Empty: one is made from the seed; see webhook_secret().
    std::vector<std::string> webhook_secrets;
    // How many users there are at the start, of all shapes in turn.
    std::size_t users = 0;
    // Whether the users of the start are announced by user.created events, oldest first.
    bool announce_users = true;
    // Makes ids, secrets and chances repeat from run to run. Without one, chance decides.
    std::optional<std::uint64_t> seed;
    // Divides the delays of Svix's retry schedule and the life of an old secret: with 1000 the
    // 27.6 hours of retries pass in 100 seconds.
    double speed = 1;
    // name=value, as PATCH /sim/faults takes them.
    std::vector<std::string> faults;
    // Off unless set: Clerk allows 100 requests in ten seconds with test keys, 1000 with live ones.
    ApiRateLimit rate_limit;
    // Messages kept in memory, those not yet delivered included.
    std::size_t messages_max = 50'000;
    // A file that keeps the users between runs; empty: they end with the process.
    std::string state_file;
    // The Supabase Auth beside it; nothing: there is none.
    std::optional<AuthSimulatorConfig> supabase;
};

class ClerkSimulator {
public:
    // Binds nothing yet. `clock` must outlive this; metrics are shared with other servers of the
    // process. Destroy it only after drain(), or together with the event loop.
    ClerkSimulator(Executor executor, ClerkSimulatorConfig config,
                   std::shared_ptr<http::ServerMetrics> metrics, const Clock& clock = real_clock());
    ~ClerkSimulator();
    ClerkSimulator(const ClerkSimulator&) = delete;
    ClerkSimulator& operator=(const ClerkSimulator&) = delete;

    // Checks the configuration, makes or loads the users, binds and begins to deliver.
    // bad_configuration says what is not allowed, a live key and an address elsewhere above all.
    [[nodiscard]] Result<void> start();

    // After start().
    [[nodiscard]] unsigned short port() const;
    [[nodiscard]] std::string url() const;             // http://127.0.0.1:PORT, for CLERK_API_URL
    [[nodiscard]] std::string webhook_secret() const;  // the current one
    [[nodiscard]] ClerkInstance& instance() const;     // users, messages, faults
    [[nodiscard]] AuthSimulator* supabase() const;     // null when there is none

    // Points the webhooks at `url`, for a receiver that is bound after the simulator.
    [[nodiscard]] Result<void> set_webhook_url(const std::string& url);

    // Stops serving and sending, at most `limit` for what is under way, and writes the state file.
    // Calling it twice does no harm.
    Task<> drain(std::chrono::milliseconds limit);

private:
    struct State;
    std::shared_ptr<State> state_;
};

// What start() checks before it does anything.
[[nodiscard]] Result<void> check(const ClerkSimulatorConfig& config);

}  // namespace rollcall::sim
