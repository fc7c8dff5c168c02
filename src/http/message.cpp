#include "http/message.hpp"

#include "base/ascii.hpp"
#include "base/json.hpp"
#include "http/form.hpp"

#include <algorithm>

namespace rollcall::http {
namespace {

// More fields than this are freed with their message instead of kept for the next.
constexpr std::size_t kept_fields_max = 32;
constexpr std::size_t usual_fields = 12;  // what most messages do not exceed

}  // namespace

void Fields::add(std::string_view name, std::string_view value) {
    if (used_ == fields_.size()) {
        if (fields_.empty()) fields_.reserve(usual_fields);
        fields_.emplace_back(name, value);
    } else {
        fields_[used_].first = name;
        fields_[used_].second = value;
    }
    ++used_;
}

void Fields::set(std::string_view name, std::string_view value) {
    bool found = false;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < used_; ++i) {
        if (same_name(fields_[i].first, name)) {
            if (found) continue;
            found = true;
            fields_[i].second = value;
        }
        if (kept != i) std::swap(fields_[kept], fields_[i]);
        ++kept;
    }
    used_ = kept;
    if (!found) add(name, value);
}

std::optional<std::string_view> Fields::get(std::string_view name) const {
    for (const auto& [key, value] : all()) {
        if (same_name(key, name)) return value;
    }
    return std::nullopt;
}

std::size_t Fields::count(std::string_view name) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        all(), [&](const Field& field) { return same_name(field.first, name); }));
}

void Fields::clear() {
    used_ = 0;
    if (fields_.size() > kept_fields_max) {
        fields_.clear();
        fields_.shrink_to_fit();
    }
}

std::optional<std::string> Request::query_parameter(std::string_view name) const {
    std::string_view rest = query;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('&'), rest.size());
        const std::string_view pair = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        const std::size_t equals = std::min(pair.find('='), pair.size());
        if (form_decode(pair.substr(0, equals)) != name) continue;
        return form_decode(pair.substr(std::min(equals + 1, pair.size())));
    }
    return std::nullopt;
}

Response Response::json(unsigned status, std::string body) {
    Response response{.status = status, .headers = {}, .body = std::move(body)};
    response.headers.add("Content-Type", "application/json");
    return response;
}

Response Response::text(unsigned status, std::string body) {
    Response response{.status = status, .headers = {}, .body = std::move(body)};
    response.headers.add("Content-Type", "text/plain; charset=utf-8");
    return response;
}

Response Response::error(const Error& error) {
    std::string body = R"({"error":)";
    append_json_string(body, error.message);
    body += '}';
    return json(http_status(error.code), std::move(body));
}

}  // namespace rollcall::http
