#include "mirror/comparing.hpp"

#include "base/log.hpp"

#include <utility>

namespace rollcall::mirror {

using Steady = std::chrono::steady_clock;

Comparing::Comparing(Executor executor, Compare& compare, supabase::AuthApi& auth,
                     ComparingConfig config, std::function<void()> compared)
    : compare_(compare),
      auth_(auth),
      config_(config),
      compared_(std::move(compared)),
      due_at_start_(config.at_start),
      loop_(executor,
            {.name = "mirror_compare", .poll_interval = [this] { return config_.look_every; }},
            [this] { return pass(Duration::max()); }) {}

void Comparing::start() {
    stopping_ = false;
    loop_.start();
}

Task<int> Comparing::pass(Duration limit) {
    if (Steady::now() < not_before_ || auth_.room(1) == 0) co_return 0;
    if (!due_at_start_ && !co_await compare_.record().due(config_.interval)) co_return 0;
    if (stopping_) co_return 0;
    const auto summary = co_await compare_.repair(limit);
    if (summary) {
        due_at_start_ = false;
        failures_ = 0;
        compared_();
        co_return 0;
    }
    // Another instance's is as good.
    if (summary.error().code == ErrorCode::conflict) co_return 0;
    not_before_ = Steady::now() + backoff_ceiling(config_.after_failure, failures_++);
    log::warn("mirror_compare_failed", {{"reason", summary.error().message}});
    co_return 0;
}

Task<> Comparing::run_due(Duration limit) {
    co_await pass(limit);
}

void Comparing::interrupt() {
    stopping_ = true;
    compare_.interrupt();
}

Task<bool> Comparing::stop(Duration limit) {
    interrupt();
    co_return co_await loop_.stop(limit);
}

}  // namespace rollcall::mirror
