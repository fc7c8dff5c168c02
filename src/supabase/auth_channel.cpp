#include "supabase/auth_channel.hpp"

#include "base/log.hpp"
#include "http/answer.hpp"
#include "supabase/auth_key.hpp"
#include "supabase/auth_user.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::supabase {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view hosted_base = "/auth/v1/admin";
constexpr std::string_view bare_base = "/admin";
// A page of 1,000 users has 2 MB; users may write a good deal into their own metadata.
constexpr std::size_t answer_bytes_max = 64UL * 1024 * 1024;
// After a 429 that does not say for how long, which is how Auth's are.
constexpr milliseconds hold_min{1'000};
constexpr milliseconds hold_max{60'000};
constexpr std::chrono::minutes key_refusal_log_interval{1};

// All that Auth answers is a JSON object; a page of a gateway's, or of another site, is not.
bool is_auths(const http::Response& response) {
    return response.body.starts_with('{');
}

std::optional<std::string_view> base_of(AuthPath path) {
    switch (path) {
        case AuthPath::automatic:
            return std::nullopt;
        case AuthPath::hosted:
            return hosted_base;
        case AuthPath::bare:
            return bare_base;
    }
    return std::nullopt;
}

}  // namespace

void Pause::begin(SteadyTime now) {
    if (now < until_) return;
    until_ = now + next_;
    next_ = std::min(2 * next_, max_);
}

void Pause::end() {
    *this = Pause(max_);
}

AuthChannel::AuthChannel(Executor executor, AuthConfig config, MetricsRegistry& metrics)
    : config_(std::move(config)),
      client_(executor, {.connections_per_host_max = config_.connections_max,
                         .body_bytes_max = answer_bytes_max,
                         .user_agent = config_.user_agent}),
      upstream_(client_,
                {.name = "supabase_auth",
                 .operations = {"create_user", "get_user", "update_user", "delete_user",
                                "find_user", "list_users"},
                 .breaker = config_.breaker,
                 .healthy = is_healthy},
                metrics),
      base_(base_of(config_.path)),
      next_hold_(hold_min) {}

http::ClientRequest AuthChannel::request_of(std::string_view base, const AuthRequest& request) {
    http::ClientRequest out;
    out.method = request.method;
    out.url = config_.url + std::string(base) + request.target;
    // The gateway reads the one, Auth the other; a secret key may be in both only when they are
    // equal. No X-Supabase-Api-Version: with it Auth hides that a value is taken.
    out.headers.add("apikey", config_.key.reveal());
    out.headers.add("Authorization", "Bearer " + std::string(config_.key.reveal()));
    out.headers.add("Accept", "application/json");
    if (!request.trace.empty()) {
        out.headers.add("traceparent", request.trace.child(random_).to_header());
    }
    if (!request.body.empty()) out.headers.add("Content-Type", "application/json");
    out.body = request.body;
    out.timeout = config_.timeout;
    return out;
}

Task<AuthResult<http::Response>> AuthChannel::send(AuthRequest request) {
    if (!base_) {
        const auto found = co_await find_base();
        if (!found) co_return std::unexpected(found.error());
    }
    co_return co_await send_to(*base_, request);
}

// Behind a gateway a list is never answered 404, nor is it by Auth itself.
Task<AuthResult<void>> AuthChannel::find_base() {
    const AuthRequest list{
        .operation = "list_users", .target = "/users?page=1&per_page=1", .body = ""};
    AuthError error;
    for (const std::string_view base : {hosted_base, bare_base}) {
        const auto answer = co_await send_to(base, list);
        error = answer ? strange_answer("a list of users") : answer.error();
        const bool listed = answer && parse_auth_users(answer->body);
        if (listed || error.fault == AuthFault::key_refused) {
            base_ = base;
            co_return AuthResult<void>();
        }
        if (error.status != 404) break;
    }
    if (error.status == 404) error.message += "; is SUPABASE_URL right?";
    co_return std::unexpected(std::move(error));
}

Task<AuthResult<http::Response>> AuthChannel::send_to(std::string_view base,
                                                      const AuthRequest& request) {
    const auto held = std::chrono::ceil<milliseconds>(held_until_ - real_clock().steady());
    if (held.count() > 0) {
        co_return std::unexpected(AuthError{.fault = AuthFault::rate_limited,
                                            .sent = false,
                                            .wait = held,
                                            .message = "Supabase Auth wants to be left alone"});
    }
    auto attempt = co_await upstream_.send(request.operation, request_of(base, request));
    if (!attempt.response) {
        co_return std::unexpected(
            AuthError{.sent = attempt.sent, .wait = attempt.wait, .message = attempt.failure});
    }
    if (attempt.response->status == 200) {
        answered(request, *attempt.response);
        co_return std::move(*attempt.response);
    }
    AuthError error = read_auth_error(*attempt.response);
    // Only of a write may it be the fault of what is written.
    if (error.fault == AuthFault::opaque && request.method == "GET") error.fault = AuthFault::away;
    if (error.fault == AuthFault::rate_limited) hold(*attempt.response, error);
    if (error.fault == AuthFault::key_refused) advise(error);
    refused(error);
    co_return std::unexpected(std::move(error));
}

void AuthChannel::answered(const AuthRequest& request, const http::Response& response) {
    next_hold_ = hold_min;
    if (!is_auths(response)) {
        wrong_.begin(real_clock().steady());
        return;
    }
    wrong_.end();
    if (request.method == "GET") return;
    writes_failed_ = 0;
    unwritable_.end();
}

void AuthChannel::refused(const AuthError& error) {
    const SteadyTime now = real_clock().steady();
    const bool anothers = error.fault == AuthFault::away && error.status < 500;
    if (anothers || error.fault == AuthFault::key_refused) wrong_.begin(now);
    if (error.fault != AuthFault::opaque) return;
    if (++writes_failed_ >= config_.breaker.failures_max) unwritable_.begin(now);
}

// Nobody asks until then: several callers that try again on their own would make it worse.
void AuthChannel::hold(const http::Response& response, AuthError& error) {
    const auto told = http::retry_after(response);
    error.wait = std::max(told ? milliseconds(*told) : next_hold_, hold_min);
    if (!told) next_hold_ = std::min(2 * next_hold_, hold_max);
    held_until_ = std::max(held_until_, real_clock().steady() + error.wait);
    log::warn("supabase_says_wait", {{"ms", error.wait.count()}});
}

void AuthChannel::advise(AuthError& error) {
    if (base_ == bare_base && kind_of_key(config_.key.reveal()) == KeyKind::secret) {
        error.message += ": an Auth without a gateway takes the service_role JWT only";
    }
    const SteadyTime now = real_clock().steady();
    if (key_refusal_logged_ != SteadyTime() &&
        now < key_refusal_logged_ + key_refusal_log_interval) {
        return;
    }
    key_refusal_logged_ = now;
    log::error("mirror_key_refused", {{"message", error.message}});
}

int AuthChannel::room(int wanted) const {
    const SteadyTime now = real_clock().steady();
    const bool pausing = now < std::max({held_until_, wrong_.until(), unwritable_.until()});
    return pausing ? 0 : upstream_.room(wanted, now);
}

std::optional<AuthWait> AuthChannel::waits(SteadyTime now) const {
    const auto left = [now](SteadyTime until) {
        return std::max(std::chrono::ceil<milliseconds>(until - now), milliseconds(0));
    };
    const AuthWait longest =
        std::max({AuthWait{"rate_limited", left(held_until_)},
                  AuthWait{"wrong_answer", left(wrong_.until())},
                  AuthWait{"writes_fail", left(unwritable_.until())},
                  AuthWait{"circuit_open", upstream_.look(now).next_probe}},
                 [](const AuthWait& a, const AuthWait& b) { return a.left < b.left; });
    if (longest.left.count() == 0) return std::nullopt;
    return longest;
}

}  // namespace rollcall::supabase
