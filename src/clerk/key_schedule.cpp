#include "clerk/key_schedule.hpp"

#include "base/ascii.hpp"

#include <algorithm>
#include <charconv>

namespace rollcall::clerk {
namespace {

using std::chrono::milliseconds;

milliseconds jittered(milliseconds base, milliseconds jitter, double chance) {
    return base + milliseconds(static_cast<std::int64_t>(static_cast<double>(jitter.count()) *
                                                         std::clamp(chance, 0.0, 1.0)));
}

}  // namespace

std::optional<std::chrono::seconds> granted_ttl(std::string_view cache_control) {
    const std::string text = to_lower(cache_control);
    std::string_view rest = text;
    std::optional<std::chrono::seconds> granted;
    while (!rest.empty()) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        std::string_view directive = trimmed(rest.substr(0, comma));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
        if (directive == "no-store" || directive == "no-cache") return std::chrono::seconds(0);
        constexpr std::string_view name = "max-age=";
        if (!directive.starts_with(name)) continue;
        directive.remove_prefix(name.size());
        std::int32_t seconds = 0;
        const auto [end, error] = std::from_chars(directive.begin(), directive.end(), seconds);
        if (error == std::errc() && end == directive.end() && seconds >= 0) {
            granted = std::chrono::seconds(seconds);
        }
    }
    return granted;
}

KeySchedule::KeySchedule(KeyScheduleConfig config, SteadyTime now)
    : config_(config), due_(now), quiet_until_(now) {}

bool KeySchedule::usable(SteadyTime now) const {
    return since_ && now - *since_ < config_.stale_max;
}

bool KeySchedule::stale(SteadyTime now) const {
    return since_ && now - *since_ >= ttl_;
}

void KeySchedule::succeeded(SteadyTime now, std::optional<std::chrono::seconds> granted,
                            double chance) {
    since_ = now;
    ttl_ = granted ? std::clamp<milliseconds>(*granted, config_.ttl_min, config_.ttl_max)
                   : config_.ttl;
    quiet_until_ = now + jittered(config_.cooldown, config_.cooldown_jitter, chance);
    due_ = std::max(now + ttl_ / 2, quiet_until_);
}

void KeySchedule::failed(SteadyTime now, double chance) {
    if (usable(now)) {
        quiet_until_ = now + jittered(config_.cooldown, config_.cooldown_jitter, chance);
        due_ = quiet_until_;
    } else {
        due_ = now + jittered(config_.first_delay, config_.first_jitter, chance);
        quiet_until_ = due_;
    }
}

bool KeySchedule::missed(std::string_view kid, SteadyTime now) {
    if (now < quiet_until_ || known_unknown(kid, now)) return false;
    due_ = std::min(due_, now);
    return true;
}

void KeySchedule::note_unknown(std::string_view kid, SteadyTime now) {
    const auto [entry, fresh] = unknown_.try_emplace(std::string(kid));
    entry->second = now + config_.unknown_for;
    if (!fresh) return;
    order_.emplace_back(kid);
    if (order_.size() > config_.unknown_max) {
        unknown_.erase(order_.front());
        order_.pop_front();
    }
}

bool KeySchedule::known_unknown(std::string_view kid, SteadyTime now) {
    const auto found = unknown_.find(std::string(kid));
    return found != unknown_.end() && now < found->second;
}

}  // namespace rollcall::clerk
