#include "sim/clerk_params.hpp"

#include <algorithm>
#include <chrono>

namespace rollcall::sim {

namespace {

void merge_into(json::object& target, const json::object& changes) {
    for (const auto& [key, value] : changes) {
        if (value.is_null()) {
            target.erase(key);
        } else if (value.is_object()) {
            auto& inner = target[key];
            if (!inner.is_object()) inner = json::object();
            merge_into(inner.get_object(), value.get_object());
        } else {
            target[key] = value;
        }
    }
}

// Takes exactly `digits` digits from the front of `text`.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
    if (text.size() < digits) return std::nullopt;
    int value = 0;
    for (const char c : text.substr(0, digits)) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + (c - '0');
    }
    text.remove_prefix(digits);
    return value;
}

bool take(std::string_view& text, std::string_view any_of) {
    if (text.empty() || !any_of.contains(text.front())) return false;
    text.remove_prefix(1);
    return true;
}

// The fraction of a second after its point, cut to milliseconds.
std::optional<int> take_fraction(std::string_view& text) {
    int milliseconds = 0;
    int scale = 100;
    const auto before = text.size();
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
        milliseconds += (text.front() - '0') * scale;
        scale /= 10;
        text.remove_prefix(1);
    }
    if (text.size() == before) return std::nullopt;
    return milliseconds;
}

std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
    if (take(text, "Zz")) return std::chrono::minutes(0);
    const int sign = text.starts_with('-') ? -1 : 1;
    if (!take(text, "+-")) return std::nullopt;
    const auto hours = take_digits(text, 2);
    if (!hours || !take(text, ":")) return std::nullopt;
    const auto minutes = take_digits(text, 2);
    if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    return std::chrono::minutes(sign * (*hours * 60 + *minutes));
}

}  // namespace

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
    using namespace std::chrono;
    const auto year = take_digits(text, 4);
    if (!year || !take(text, "-")) return std::nullopt;
    const auto month = take_digits(text, 2);
    if (!month || !take(text, "-")) return std::nullopt;
    const auto day = take_digits(text, 2);
    if (!day || !take(text, "Tt ")) return std::nullopt;
    const auto hour = take_digits(text, 2);
    if (!hour || !take(text, ":")) return std::nullopt;
    const auto minute = take_digits(text, 2);
    if (!minute || !take(text, ":")) return std::nullopt;
    const auto second = take_digits(text, 2);
    if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    std::optional<int> fraction = 0;
    if (take(text, ".")) fraction = take_fraction(text);
    const auto offset = take_offset(text);
    const year_month_day date{std::chrono::year(*year),
                              std::chrono::month(static_cast<unsigned>(*month)),
                              std::chrono::day(static_cast<unsigned>(*day))};
    if (!fraction || !offset || !text.empty() || !date.ok()) return std::nullopt;
    const auto at = sys_days(date) + hours(*hour) + minutes(*minute) + seconds(*second) +
                    milliseconds(*fraction) - *offset;
    return duration_cast<milliseconds>(at.time_since_epoch()).count();
}

Params::Params(const json::object& body, std::initializer_list<std::string_view> known)
    : body_(body) {
    for (const auto& [name, value] : body) {
        if (std::ranges::find(known, std::string_view(name)) == known.end()) {
            complain(errors::param_unknown(name));
        }
    }
}

const json::value* Params::find(std::string_view name) const {
    return body_.if_contains(name);
}

bool Params::has(std::string_view name) const {
    const auto* value = find(name);
    return value != nullptr && !value->is_null();
}

void Params::complain(const ClerkError& error) {
    if (!error_) {
        error_ = error;
    } else {
        error_->items.insert(error_->items.end(), error.items.begin(), error.items.end());
    }
}

void Params::complain(std::string_view name, std::string_view why) {
    complain(errors::format_invalid(name, std::string(name) + " " + std::string(why)));
}

void Params::text(std::string_view name, std::optional<std::string>& into) {
    const auto* value = find(name);
    if (value == nullptr) return;
    if (value->is_null()) {
        into.reset();
    } else if (const auto* text = value->if_string()) {
        into.reset();
        if (!text->empty()) into = std::string(*text);
    } else {
        complain(name, "must be a string");
    }
}

void Params::flag(std::string_view name, bool& into) {
    if (!has(name)) return;
    const auto* value = find(name)->if_bool();
    if (value == nullptr) return complain(name, "must be a boolean");
    into = *value;
}

void Params::number(std::string_view name, std::optional<std::int64_t>& into) {
    const auto* value = find(name);
    if (value == nullptr) return;
    if (value->is_null()) return into.reset();
    if (!value->is_int64()) return complain(name, "must be an integer");
    into = value->get_int64();
}

void Params::time(std::string_view name, std::optional<std::int64_t>& into) {
    if (!has(name)) return;
    const auto* text = find(name)->if_string();
    const auto at = text != nullptr ? parse_rfc3339(*text) : std::nullopt;
    if (!at) return complain(name, "must be a date in RFC 3339 format");
    into = at;
}

void Params::metadata(std::string_view name, json::value& into) {
    const auto* value = find(name);
    if (value == nullptr) return;
    if (!value->is_object() && !value->is_null()) return complain(name, "must be an object");
    into = *value;
}

void Params::merge_metadata(std::string_view name, json::value& into) {
    if (!has(name)) return;
    const auto* value = find(name);
    if (!value->is_object()) return complain(name, "must be an object");
    if (!into.is_object()) into = json::object();
    merge_into(into.get_object(), value->get_object());
}

std::vector<std::string> Params::texts(std::string_view name) {
    std::vector<std::string> list;
    if (!has(name)) return list;
    const auto* array = find(name)->if_array();
    if (array == nullptr) {
        complain(name, "must be an array of strings");
        return list;
    }
    for (const auto& item : *array) {
        const auto* text = item.if_string();
        if (text == nullptr) {
            complain(name, "must be an array of strings");
            return {};
        }
        list.emplace_back(*text);
    }
    return list;
}

std::vector<std::string> Params::statuses(std::string_view name, std::size_t count) {
    auto list = texts(name);
    if (list.empty()) return std::vector<std::string>(count, "verified");
    if (list.size() != count) {
        complain(name, "must have one item for each value");
        list.assign(count, "verified");
    }
    for (const auto& status : list) {
        if (status != "verified" && status != "reserved") {
            complain(name, "must be verified or reserved");
        }
    }
    return list;
}

}  // namespace rollcall::sim
