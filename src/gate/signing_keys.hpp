// The keys that rollcall signs its own tokens with: made once per database, shared by all
// instances, followed by another before they are old. Each is published well before it signs and
// until no token of it can be alive, so that nobody meets a key that they cannot know. Read again
// every minute; while the database is away those that are known go on. Private parts stay in this
// process and in rollcall.signing_keys. docs/token-exchange.md. One event loop.
#pragma once

#include "base/metrics.hpp"
#include "base/task.hpp"
#include "crypto/signing_key.hpp"
#include "jobs/work_loop.hpp"
#include "pg/pool.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rollcall::gate {

struct SigningKeysConfig {
    std::chrono::milliseconds lifetime = std::chrono::days(30);  // one signs for that long
    // Longer than anybody keeps a key set: that is asked for again every five minutes.
    std::chrono::milliseconds published_ahead = std::chrono::hours(1);
    // Longer than a token lives and an instance may not have seen that a key was followed.
    std::chrono::milliseconds published_after = std::chrono::hours(1);
    std::chrono::milliseconds interval = std::chrono::minutes(1);
};

enum class KeyState : std::uint8_t { next, active, retiring };

class SigningKeys {
public:
    // `pool` and `registry` must outlive this.
    SigningKeys(Executor executor, pg::Pool& pool, SigningKeysConfig config,
                MetricsRegistry& registry);
    SigningKeys(const SigningKeys&) = delete;
    SigningKeys& operator=(const SigningKeys&) = delete;

    void start();  // the schema is there
    Task<bool> stop(Duration limit);

    // Makes what is due, removes what is over, and reads what there is. Throws what the pool
    // throws; what was known stays then.
    Task<> refresh();

    // What to sign with; valid until the caller waits for anything. Null: nothing.
    [[nodiscard]] const crypto::SigningKey* active() const;
    // The public parts of all (RFC 7517); "" before the first are known.
    [[nodiscard]] const std::string& jwks() const { return jwks_; }
    [[nodiscard]] std::string status() const;  // JSON

private:
    struct Known {
        crypto::SigningKey key;
        KeyState state;
    };

    // Whether it is time for another.
    Task<bool> read();
    void publish(std::vector<Known> known);

    pg::Pool& pool_;
    SigningKeysConfig config_;
    std::vector<Known> known_;
    std::string jwks_;
    std::string reported_;  // the kid of the key that was said to sign
    std::array<prometheus::Gauge*, 3> figures_{};
    jobs::WorkLoop loop_;
};

}  // namespace rollcall::gate
