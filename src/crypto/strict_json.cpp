#include "crypto/strict_json.hpp"

#include <algorithm>
#include <vector>

namespace rollcall::crypto {
namespace {

using simdjson::dom::element_type;
using Verdict = std::optional<JsonFault>;

Verdict check(const simdjson::dom::element& value, std::size_t level);

Verdict check_array(const simdjson::dom::array& array, std::size_t level) {
    if (level > StrictJson::depth_max) return JsonFault::too_deep;
    for (const auto& item : array) {
        if (const auto fault = check(item, level + 1)) return fault;
    }
    return std::nullopt;
}

Verdict check_object(const simdjson::dom::object& object, std::size_t level) {
    if (level > StrictJson::depth_max) return JsonFault::too_deep;
    std::vector<std::string_view> names;
    names.reserve(object.size());
    for (const auto& [name, value] : object) {
        names.push_back(name);
        if (const auto fault = check(value, level + 1)) return fault;
    }
    std::ranges::sort(names);
    if (std::ranges::adjacent_find(names) != names.end()) return JsonFault::duplicate_name;
    return std::nullopt;
}

Verdict check(const simdjson::dom::element& value, std::size_t level) {
    switch (value.type()) {
        case element_type::ARRAY:
            return check_array(value.get_array().value_unsafe(), level);
        case element_type::OBJECT:
            return check_object(value.get_object().value_unsafe(), level);
        default:
            return std::nullopt;
    }
}

}  // namespace

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
    if (const auto fault = check(root, 1)) return std::unexpected(*fault);
    return root;
}

std::optional<simdjson::dom::element> member(const simdjson::dom::object& object,
                                             std::string_view name) {
    simdjson::dom::element value;
    if (object.at_key(name).get(value) != simdjson::SUCCESS) return std::nullopt;
    return value;
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
