#include "gate/token_cache.hpp"

#include <utility>

namespace rollcall::gate {

// A key that was withdrawn takes what it signed with it: which entries those are nobody asks.
void TokenCache::use_generation(std::uint64_t generation) {
    if (generation == generation_) return;
    generation_ = generation;
    entries_.clear();
    order_.clear();
}

TokenCache::Claims TokenCache::find(const crypto::Sha256& token, std::uint64_t generation,
                                    SystemTime now) {
    use_generation(generation);
    const auto found = entries_.find(token);
    if (found == entries_.end()) return nullptr;
    if (now >= found->second->claims->expires_at) {
        order_.erase(found->second);
        entries_.erase(found);
        return nullptr;
    }
    order_.splice(order_.begin(), order_, found->second);
    return found->second->claims;
}

void TokenCache::keep(const crypto::Sha256& token, std::uint64_t generation, Claims claims,
                      SystemTime now) {
    use_generation(generation);
    if (now >= claims->expires_at || entries_max_ == 0 || entries_.contains(token)) return;
    if (entries_.size() >= entries_max_) {
        if (now < order_.back().claims->expires_at) ++evicted_;
        entries_.erase(order_.back().token);
        order_.pop_back();
    }
    order_.push_front({.token = token, .claims = std::move(claims)});
    entries_.emplace(token, order_.begin());
}

}  // namespace rollcall::gate
