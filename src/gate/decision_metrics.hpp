// Metrics of the gate's decisions, all at zero from the start. Internal to this folder.
#pragma once

#include "base/metrics.hpp"
#include "base/task.hpp"
#include "gate/verdict.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <tuple>

namespace rollcall::gate {

class DecisionMetrics {
public:
    enum class Cached : std::uint8_t { none, hit, miss };  // none: no token was looked at

    explicit DecisionMetrics(MetricsRegistry& registry);

    void decided(const Verdict& verdict, Cached cached, Duration took);
    void remembered(std::size_t tokens, std::size_t evicted);

private:
    prometheus::Counter& series(std::string_view access, bool allowed, std::string_view reason);

    prometheus::Family<prometheus::Counter>& decisions_;
    // By access, reason and whether it was allowed; the texts are static.
    std::map<std::tuple<std::string_view, std::string_view, bool>, prometheus::Counter*> series_;
    std::array<prometheus::Histogram*, 3> took_{};
    prometheus::Counter& requests_;
    prometheus::Counter& hits_;
    prometheus::Counter& evictions_;
    prometheus::Gauge& entries_;
    std::size_t tokens_ = 0;
    std::size_t evicted_ = 0;
};

}  // namespace rollcall::gate
