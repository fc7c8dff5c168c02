#include "crypto/strict_json.hpp"

#include <algorithm>
#include <cstring>
#include <span>

namespace rollcall::crypto {
namespace {

using simdjson::dom::element_type;
using Verdict = std::optional<JsonFault>;

// `names` ends with those of the objects that are being read, the innermost last; each leaves it
// as it was.
using Names = std::vector<StrictJson::Name>;

Verdict check(const simdjson::dom::element& value, std::size_t level, Names& names);

Verdict check_array(const simdjson::dom::array& array, std::size_t level, Names& names) {
    if (level > StrictJson::depth_max) return JsonFault::too_deep;
    for (const auto& item : array) {
        if (const auto fault = check(item, level + 1, names)) return fault;
    }
    return std::nullopt;
}

Verdict check_object(const simdjson::dom::object& object, std::size_t level, Names& names) {
    if (level > StrictJson::depth_max) return JsonFault::too_deep;
    const std::size_t others = names.size();
    for (const auto& [name, value] : object) {
        names.emplace_back(name);
        if (const auto fault = check(value, level + 1, names)) return fault;
    }
    const auto own = std::span(names).subspan(others);
    std::ranges::sort(own);  // equals are side by side
    const bool twice = std::ranges::adjacent_find(own) != own.end();
    names.resize(others);
    if (twice) return JsonFault::duplicate_name;
    return std::nullopt;
}

Verdict check(const simdjson::dom::element& value, std::size_t level, Names& names) {
    switch (value.type()) {
        case element_type::ARRAY:
            return check_array(value.get_array().value_unsafe(), level, names);
        case element_type::OBJECT:
            return check_object(value.get_object().value_unsafe(), level, names);
        default:
            return std::nullopt;
    }
}

}  // namespace

StrictJson::Name::Name(std::string_view name) : begin(name.size() << 56U), text(name) {
    std::memcpy(&begin, name.data(), std::min<std::size_t>(name.size(), 7));
}

std::expected<simdjson::dom::element, JsonFault> StrictJson::parse(std::string_view text) {
    if (text.empty()) return std::unexpected(JsonFault::not_json);
    // All but names and levels is simdjson's to refuse: bytes that are not UTF-8, half pairs,
    // numbers.
    const auto parsed = parser_.parse(text.data(), text.size());
    if (parsed.error() != simdjson::SUCCESS) {
        return std::unexpected(parsed.error() == simdjson::DEPTH_ERROR ? JsonFault::too_deep
                                                                       : JsonFault::not_json);
    }
    const auto root = parsed.value_unsafe();
    names_.clear();
    if (const auto fault = check(root, 1, names_)) return std::unexpected(*fault);
    return root;
}

std::optional<simdjson::dom::element> member(const simdjson::dom::object& object,
                                             std::string_view name) {
    // Most claims have names of three letters: two that differ settle it without a call.
    for (const auto& [key, value] : object) {
        if (key.size() == name.size() && key.front() == name.front() && key.back() == name.back() &&
            key == name) {
            return value;
        }
    }
    return std::nullopt;
}

std::string_view to_string(JsonFault fault) {
    switch (fault) {
        case JsonFault::not_json:
            return "not JSON";
        case JsonFault::too_deep:
            return "nested too deeply";
        case JsonFault::duplicate_name:
            return "a name twice in one object";
    }
    return "";
}

}  // namespace rollcall::crypto
