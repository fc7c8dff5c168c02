#include "sim/clerk_rate_limit.hpp"

#include <algorithm>

namespace rollcall::sim {

std::chrono::seconds ApiRateLimiter::take(std::string_view changed_user, SteadyTime now) {
    if (limit_.per_instance == 0) return std::chrono::seconds(0);
    if (now >= window_end_) {
        window_end_ = now + window;
        requests_ = 0;
        changes_.clear();
    }
    bool allowed = ++requests_ <= limit_.per_instance;
    if (!changed_user.empty()) {
        allowed = ++changes_[std::string(changed_user)] <= limit_.per_user && allowed;
    }
    if (allowed) return std::chrono::seconds(0);
    ++refused_;
    return std::max(std::chrono::seconds(1),
                    std::chrono::ceil<std::chrono::seconds>(window_end_ - now));
}

}  // namespace rollcall::sim
