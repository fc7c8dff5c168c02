#include "mirror/ends.hpp"

#include <optional>
#include <utility>

namespace rollcall::mirror {

using jobs::Retry;

Retry later(std::string reason) {
    return {.reason = std::move(reason), .delay = std::nullopt, .burns_attempt = false};
}

Retry again(std::string reason) {
    return {.reason = std::move(reason), .delay = std::nullopt, .burns_attempt = true};
}

Retry look_again(std::chrono::milliseconds wait) {
    Retry retry = later("an earlier write to Supabase Auth may still be carried out");
    retry.delay = wait;
    return retry;
}

Retry lease_lost() {
    return later("the lease of this job was lost");
}

}  // namespace rollcall::mirror
