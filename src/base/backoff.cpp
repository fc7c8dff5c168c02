#include "base/backoff.hpp"

#include "base/result.hpp"

#include <algorithm>

namespace rollcall {

std::chrono::milliseconds backoff_ceiling(const Backoff& backoff, int attempt) {
    ensure(attempt >= 0, "backoff: attempt counts from 0");
    ensure(backoff.base.count() > 0 && backoff.max.count() > 0, "backoff: base and max above 0");
    auto ceiling = std::min(backoff.base, backoff.max);
    for (int i = 0; i < attempt && ceiling < backoff.max; ++i) {
        ceiling = ceiling > backoff.max / 2 ? backoff.max : ceiling * 2;
    }
    return ceiling;
}

std::chrono::milliseconds backoff_delay(const Backoff& backoff, int attempt, Random& random) {
    return std::chrono::milliseconds(
        random.between(1, std::max<std::int64_t>(1, backoff_ceiling(backoff, attempt).count())));
}

}  // namespace rollcall
