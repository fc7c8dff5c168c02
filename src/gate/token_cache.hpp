// The claims of session tokens whose signature was verified, by the SHA-256 of the token. Finding
// one spares the signature and nothing else: whoever asks judges the claims anew, each time. An
// entry dies at the token's `exp`, and all of them when the keys change. Refusals are never kept.
// Bounded: who was unused longest goes first. No I/O; one event loop.
#pragma once

#include "base/clock.hpp"
#include "clerk/session_claims.hpp"
#include "crypto/digest.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <list>
#include <memory>
#include <unordered_map>

namespace rollcall::gate {

inline constexpr std::size_t token_cache_entries_max = 50'000;

class TokenCache {
public:
    using Claims = std::shared_ptr<const clerk::SessionClaims>;

    explicit TokenCache(std::size_t entries_max = token_cache_entries_max)
        : entries_max_(entries_max) {}

    // Null: verify it. `generation` is that of the keys (clerk::KeySet::generation) now.
    [[nodiscard]] Claims find(const crypto::Sha256& token, std::uint64_t generation,
                              SystemTime now);
    // Verified with the keys of `generation`.
    void keep(const crypto::Sha256& token, std::uint64_t generation, Claims claims, SystemTime now);

    [[nodiscard]] std::size_t size() const { return order_.size(); }
    [[nodiscard]] std::size_t evicted() const { return evicted_; }  // for want of room

private:
    struct Entry {
        crypto::Sha256 token;
        Claims claims;
    };
    using Order = std::list<Entry>;  // the most recently used first
    struct Hash {
        std::size_t operator()(const crypto::Sha256& token) const {
            std::size_t first = 0;
            std::memcpy(&first, token.data(), sizeof(first));
            return first;
        }
    };

    void use_generation(std::uint64_t generation);

    std::size_t entries_max_;
    std::uint64_t generation_ = 0;
    std::size_t evicted_ = 0;
    Order order_;
    std::unordered_map<crypto::Sha256, Order::iterator, Hash> entries_;
};

}  // namespace rollcall::gate
