#include "webhooks/failing_networks.hpp"

#include <algorithm>

namespace rollcall::webhooks {

void FailingNetworks::note(std::int64_t minute, std::string_view network, std::int64_t count) {
    if (network.empty() || count <= 0) return;
    Counts& counts = minutes_[minute];
    if (minutes_.size() > minutes_max) {
        minutes_.erase(minutes_.begin());
        if (!minutes_.contains(minute)) return;  // it was the oldest itself
    }
    if (const auto known = counts.find(network); known != counts.end()) {
        known->second += count;
        return;
    }
    if (counts.size() < networks_max) {
        counts.emplace(network, count);
        return;
    }
    // A newcomer takes its own weight from all of them: whoever has nothing left makes room.
    const auto by_count = [](const auto& a, const auto& b) { return a.second < b.second; };
    const std::int64_t least = std::ranges::min_element(counts, by_count)->second;
    const std::int64_t taken = std::min(least, count);
    for (auto& [name, has] : counts) has -= taken;
    std::erase_if(counts, [](const auto& one) { return one.second == 0; });
    if (count > taken) counts.emplace(network, count - taken);
}

}  // namespace rollcall::webhooks
