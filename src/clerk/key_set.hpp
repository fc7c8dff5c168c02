// The keys that session tokens are verified with, kept fresh in the background: fetched at the
// start, renewed before they are old, and asked for again when a token names an unknown one; one
// request at a time, however many wait for it. A good set is replaced only by a good one, and then
// wholly: a key that was withdrawn is gone at once. While the publisher is away the last set serves
// for a day; then, and before the first, there is none and every token is refused. key_schedule
// decides when; a circuit breaker "jwks" stands before the publisher. Nothing here throws. One
// event loop.
#pragma once

#include "base/metrics.hpp"
#include "base/task.hpp"
#include "clerk/key_schedule.hpp"
#include "clerk/key_source.hpp"
#include "clerk/session_token.hpp"
#include "crypto/jwk_set.hpp"
#include "http/upstream.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace rollcall::clerk {

struct KeySetConfig {
    KeySource source;
    KeyScheduleConfig schedule;
    std::chrono::milliseconds timeout{3'000};    // of one request
    std::chrono::milliseconds miss_wait{2'000};  // a token of an unknown kid waits this long
    std::size_t waiting_max = 1024;              // such tokens at a time; more wait for nothing
    std::string user_agent = "rollcall";
};

// The request for the key set of a source that is not pinned.
[[nodiscard]] http::ClientRequest key_request(const KeySource& source,
                                              std::chrono::milliseconds timeout);

class KeySet {
public:
    KeySet(Executor executor, KeySetConfig config, MetricsRegistry& metrics);
    ~KeySet();
    KeySet(const KeySet&) = delete;
    KeySet& operator=(const KeySet&) = delete;

    void start();  // nothing when it runs, or when the key is pinned
    // Ends what is under way; it may be started again then.
    Task<> stop();

    // Whether there are keys, after waiting for the request under way where there are none.
    Task<bool> ready();

    // What to verify with now; valid until the caller waits for anything. Null: nothing.
    [[nodiscard]] const crypto::JwkSet* keys() const;

    // Another one whenever the keys may be others than before; nothing while there are none to
    // verify with. For who remembers what was verified.
    [[nodiscard]] std::optional<std::uint64_t> generation() const;

    // Whether there is a key of this kid, after asking for the set anew where that is allowed.
    Task<bool> look_for(std::string kid);

    // clerk::verify() with these keys, at this time; a token of an unknown kid is judged again when
    // its key has come. jwks_unavailable without keys. `rules` must outlive the task.
    Task<TokenVerdict> verify(std::string token, const TokenRules& rules);

    // How long ago the set was last fetched and taken; nothing before, and of a pinned key.
    [[nodiscard]] std::optional<Duration> age() const;

    [[nodiscard]] const std::string& issuer() const;  // "" when none is known
    [[nodiscard]] http::Breaker::State circuit() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace rollcall::clerk
