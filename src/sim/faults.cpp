#include "sim/faults.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

namespace rollcall::sim {

namespace {

constexpr std::size_t fault_count = static_cast<std::size_t>(Fault::count);

// In the order of the enumeration.
constexpr std::array<std::string_view, fault_count> names{
    "duplicate",
    "reorder",
    "delay",
    "drop",
    "seconds_timestamp",
    "same_millisecond",
    "bad_signature",
    "old_secret",
    "stale_timestamp",
    "slow_delivery",
    "ack_lost",
    "api_slow",
    "api_hang",
    "api_429",
    "api_401",
    "api_404",
    "api_5xx",
    "api_not_json",
    "api_empty_list",
    "api_short_list",
    "api_truncated_body",
    "api_wrong_count",
    "jwks_slow",
    "jwks_hang",
    "jwks_500",
    "jwks_429",
    "jwks_not_json",
    "jwks_drop",
    "auth_slow",
    "auth_hang",
    "auth_500",
    "auth_429",
    "auth_401",
    "auth_not_json",
    "auth_drop",
    "auth_drop_before",
    "auth_read_only",
    "auth_opaque",
    "auth_skip_page",
};

std::optional<double> number(const json::value& value) {
    if (value.is_double()) return value.get_double();
    if (value.is_int64()) return static_cast<double>(value.get_int64());
    if (value.is_uint64()) return static_cast<double>(value.get_uint64());
    return std::nullopt;
}

std::unexpected<Error> refuse(std::string_view name, std::string_view why) {
    return fail(ErrorCode::invalid_input, "fault " + std::string(name) + ": " + std::string(why));
}

Result<void> set_seconds(std::chrono::milliseconds& target, std::string_view name,
                         const json::value& value) {
    const auto seconds = number(value);
    if (!seconds || !(*seconds >= 0) || *seconds > 86'400) {
        return refuse(name, "must be a number of seconds from 0 to 86400");
    }
    target = std::chrono::milliseconds(std::llround(*seconds * 1000));
    return {};
}

Result<void> set_whole_seconds(std::int64_t& target, std::string_view name,
                               const json::value& value) {
    const auto seconds = number(value);
    if (!seconds || *seconds < 0 || *seconds > 86'400 || *seconds != std::floor(*seconds)) {
        return refuse(name, "must be whole seconds from 0 to 86400");
    }
    target = std::llround(*seconds);
    return {};
}

double seconds_of(std::chrono::milliseconds duration) {
    return static_cast<double>(duration.count()) / 1000;
}

}  // namespace

bool Faults::strikes(Fault fault) {
    const auto at = static_cast<std::size_t>(fault);
    auto& one = settings_.switches[at];
    bool happens = one.always;
    if (one.times > 0) {
        --one.times;
        happens = true;
    } else if (one.probability > 0) {
        happens = random_.fraction() < one.probability;
    }
    if (happens) ++struck_[at];
    return happens;
}

Result<void> Faults::set_switch(Switch& target, std::string_view name, const json::value& value) {
    if (value.is_bool()) {
        target = {.always = value.get_bool()};
        return {};
    }
    const auto amount = number(value);
    if (!amount || !(*amount >= 0)) return refuse(name, "must be true, false or a number");
    if (*amount < 1) {
        target = {.probability = *amount};
        return {};
    }
    if (*amount != std::floor(*amount) || *amount > 1e9) {
        return refuse(name, "must be below 1 (a probability) or a whole number (of times)");
    }
    target = {.times = std::llround(*amount)};
    return {};
}

Result<void> Faults::set(Settings& settings, std::string_view name, const json::value& value) {
    const auto found = std::ranges::find(names, name);
    if (found != names.end()) {
        return set_switch(settings.switches[static_cast<std::size_t>(found - names.begin())], name,
                          value);
    }
    if (name == "delay_seconds") return set_seconds(settings.delay, name, value);
    if (name == "slow_seconds") return set_seconds(settings.slow, name, value);
    if (name == "hang_seconds") return set_seconds(settings.hang, name, value);
    if (name == "reorder_seconds") return set_seconds(settings.reorder, name, value);
    if (name == "retry_after_seconds") {
        return set_whole_seconds(settings.retry_after_seconds, name, value);
    }
    if (name == "auth_retry_after_seconds") {
        return set_whole_seconds(settings.auth_retry_after_seconds, name, value);
    }
    if (name == "auth_down") {
        // A state of the listener, not of an occasion: it has no count and no chance.
        if (!value.is_bool()) return refuse(name, "must be true or false");
        settings.auth_down = value.get_bool();
        return {};
    }
    if (name == "deleted_cursor") {
        const auto* mode = value.if_string();
        if (mode == nullptr || (*mode != "continue" && *mode != "refuse")) {
            return refuse(name, "must be \"continue\" or \"refuse\"");
        }
        settings.refuse_deleted_cursor = *mode == "refuse";
        return {};
    }
    return refuse(name, "is not known; GET /sim/faults and docs/simulator.md list the names");
}

Result<void> Faults::merge(const json::object& changes) {
    Settings settings = settings_;
    for (const auto& [name, value] : changes) {
        if (auto done = set(settings, name, value); !done) return done;
    }
    settings_ = settings;
    return {};
}

Result<void> Faults::merge_text(std::string_view assignment) {
    const auto equals = assignment.find('=');
    if (equals == std::string_view::npos) {
        return fail(ErrorCode::invalid_input,
                    "fault " + std::string(assignment) + ": must be name=value");
    }
    const auto name = assignment.substr(0, equals);
    const auto text = assignment.substr(equals + 1);
    boost::system::error_code error;
    json::value value = json::parse(text, error);
    if (error) value = text;
    if (text == "always") value = true;
    if (text == "off") value = false;
    return merge({{name, value}});
}

void Faults::clear() {
    settings_ = {};
    struck_ = {};
}

json::object Faults::to_json() const {
    json::object object;
    for (std::size_t at = 0; at < count; ++at) {
        const auto& one = settings_.switches[at];
        json::value value = false;
        if (one.always) value = true;
        if (one.times > 0) value = one.times;
        if (one.probability > 0) value = one.probability;
        object[names[at]] = std::move(value);
    }
    object["delay_seconds"] = seconds_of(settings_.delay);
    object["slow_seconds"] = seconds_of(settings_.slow);
    object["hang_seconds"] = seconds_of(settings_.hang);
    object["reorder_seconds"] = seconds_of(settings_.reorder);
    object["retry_after_seconds"] = settings_.retry_after_seconds;
    object["auth_retry_after_seconds"] = settings_.auth_retry_after_seconds;
    object["auth_down"] = settings_.auth_down;
    object["deleted_cursor"] = settings_.refuse_deleted_cursor ? "refuse" : "continue";
    return object;
}

json::object Faults::struck() const {
    json::object object;
    for (std::size_t at = 0; at < count; ++at) {
        if (struck_[at] > 0) object[names[at]] = struck_[at];
    }
    return object;
}

std::chrono::milliseconds Faults::up_to_delay() {
    return std::chrono::milliseconds(random_.between(0, settings_.delay.count()));
}

}  // namespace rollcall::sim
