// Makes rollcall's own short token out of a Clerk session token (RFC 8693): verified as the gate
// verifies, its user known and neither deleted, banned nor locked, its session not ended, all of it
// confirmed now. Whatever cannot be judged issues nothing. What it asks is passed in: keys,
// callers, time. One event loop.
//   POST /oauth/token           200 with the token; 400 with an OAuth error; 503 with Retry-After
//   GET /.well-known/jwks.json  what the tokens are verified with; 503 before there is any
#pragma once

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "clerk/session_token.hpp"
#include "crypto/signing_key.hpp"
#include "gate/issued_token.hpp"
#include "gate/standing_verdict.hpp"
#include "gate/token_exchange.hpp"
#include "http/router.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::gate {

struct ExchangeConfig {
    IssueRules issue;
    std::vector<std::string> audiences;  // empty: any
    bool verbose = true;                 // false: why a token is refused is said only in metrics
};

class Exchange {
public:
    // None of these throws in use.
    struct Sources {
        std::function<Task<clerk::TokenVerdict>(std::string token)> verify;
        std::function<Task<Result<Caller>>(std::string clerk_id, std::string session_id)> find;
        // Valid until the caller waits for anything. Null: nothing can be signed now.
        std::function<const crypto::SigningKey*()> signing_key;
        std::function<std::string()> jwks;  // "": there are no keys yet
    };

    // `clock` and `registry` must outlive this.
    Exchange(ExchangeConfig config, Sources sources, const Clock& clock, MetricsRegistry& registry);
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    void add_routes(http::Router& router);  // which this must outlive

    // `request` must outlive the task.
    Task<http::Response> answer(const http::Request& request);

private:
    struct Refusal {
        unsigned status = 400;
        std::string_view error;   // OAuth's
        std::string_view reason;  // static; a stable name
        std::string_view detail;  // static text for a person
    };
    using Issued = std::expected<std::string, Refusal>;  // the body

    static Refusal later(std::string_view detail);
    static Refusal subject_refused(std::string_view reason);
    Task<Issued> issue(const http::Request& request);
    Task<> issue_into(const http::Request& request, Issued& issued);
    Task<std::expected<directory::Standing, Refusal>> standing_of(
        const clerk::SessionClaims& subject);
    [[nodiscard]] http::Response to_response(const Refusal& refusal) const;

    ExchangeConfig config_;
    Sources sources_;
    const Clock& clock_;
    prometheus::Family<prometheus::Counter>& outcomes_;
};

}  // namespace rollcall::gate
