// The way to one project's Supabase Auth: kept connections, a circuit breaker, and holding back
// after a 429, a key that is refused, and what is no answer of Auth's. One for each process; one
// event loop. Metrics: rollcall_upstream_* and rollcall_circuit_* with upstream="supabase_auth".
#pragma once

#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "base/trace.hpp"
#include "http/breaker.hpp"
#include "http/client.hpp"
#include "http/upstream.hpp"
#include "supabase/auth_error.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::supabase {

// Where the admin API is: below /auth/v1 behind the gateway of a hosted project, at the root of an
// Auth that runs without one.
enum class AuthPath : std::uint8_t { automatic, hosted, bare };

struct AuthConfig {
    std::string url;  // without /auth/v1; empty: no mirror
    Secret key;
    AuthPath path = AuthPath::automatic;       // found out by the first call, kept for the process
    std::chrono::milliseconds timeout{8'000};  // of one request
    std::size_t connections_max = 8;
    // Never browser-like: a gateway refuses secret keys then.
    std::string user_agent = "rollcall";
    http::BreakerConfig breaker{.failures_max = 5,
                                .open_min = std::chrono::milliseconds(1'000),
                                .open_max = std::chrono::milliseconds(10'000),
                                .probe_max = std::chrono::milliseconds(30'000)};
};

struct AuthRequest {
    std::string_view operation;  // a label: create_user, get_user, update_user, …
    std::string method = "GET";
    std::string target;    // below the admin API: /users, /users/{id}, /users?page=1
    std::string body;      // JSON; "": none
    TraceContext trace{};  // of which the request is a span; empty: of none
};

// A time without new work, longer each time it begins, until it ends well.
class Pause {
public:
    explicit Pause(std::chrono::milliseconds max) : max_(max) {}

    // Several calls that were under way are one reason.
    void begin(SteadyTime now);
    void end();
    [[nodiscard]] SteadyTime until() const { return until_; }

private:
    std::chrono::milliseconds max_;
    std::chrono::milliseconds next_{1'000};
    SteadyTime until_{};
};

// Why nothing new is asked, and for how long yet.
struct AuthWait {
    std::string_view reason;  // rate_limited, wrong_answer, writes_fail, circuit_open
    std::chrono::milliseconds left{0};
};

class AuthChannel {
public:
    AuthChannel(Executor executor, AuthConfig config, MetricsRegistry& metrics);
    AuthChannel(const AuthChannel&) = delete;
    AuthChannel& operator=(const AuthChannel&) = delete;

    // The answer when its status is 200, else why there is none. Throws Unavailable only when it is
    // cancelled.
    Task<AuthResult<http::Response>> send(AuthRequest request);

    // As AuthApi::room().
    [[nodiscard]] int room(int wanted) const;
    // The longest there is.
    [[nodiscard]] std::optional<AuthWait> waits(SteadyTime now) const;
    [[nodiscard]] http::Breaker::State circuit() const { return upstream_.circuit(); }
    [[nodiscard]] http::Circuit look(SteadyTime now) const { return upstream_.look(now); }

private:
    Task<AuthResult<http::Response>> send_to(std::string_view base, const AuthRequest& request);
    Task<AuthResult<void>> find_base();
    [[nodiscard]] http::ClientRequest request_of(std::string_view base, const AuthRequest& request);
    void hold(const http::Response& response, AuthError& error);
    void advise(AuthError& error);
    void answered(const AuthRequest& request, const http::Response& response);
    void refused(const AuthError& error);

    AuthConfig config_;
    http::Client client_;
    http::Upstream upstream_;
    std::optional<std::string_view> base_;  // of the admin API, once it is known
    SteadyTime held_until_{};
    std::chrono::milliseconds next_hold_;
    // No new work, though what is under way goes on asking: a key or an address that is wrong stays
    // so until a person comes, and is an answer to the circuit. Until an answer is right.
    Pause wrong_{std::chrono::minutes(1)};
    // The same while writes fail and nobody knows why, whatever is read between. Until one works.
    Pause unwritable_{std::chrono::seconds(15)};
    int writes_failed_ = 0;  // in a row
    SteadyTime key_refusal_logged_{};
    Random random_;
};

}  // namespace rollcall::supabase
