#include "gate/token_exchange.hpp"

#include "base/ascii.hpp"
#include "http/form.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace rollcall::gate {
namespace {

constexpr std::string_view form_type = "application/x-www-form-urlencoded";
constexpr std::string_view default_audience = "authenticated";
constexpr std::size_t audience_bytes_max = 255;
constexpr std::size_t parameters_max = 32;

constexpr std::string_view jwt_type = "urn:ietf:params:oauth:token-type:jwt";
constexpr std::string_view access_token_type = "urn:ietf:params:oauth:token-type:access_token";

using Parameters = std::map<std::string, std::string, std::less<>>;

std::unexpected<OAuthError> refused(std::string_view error, std::string_view description) {
    return std::unexpected(OAuthError{error, description});
}

std::unexpected<OAuthError> invalid(std::string_view description) {
    return refused("invalid_request", description);
}

bool is_form(const http::Fields& headers) {
    if (headers.count("Content-Type") != 1) return false;
    const std::string_view type = *headers.get("Content-Type");
    return http::same_name(trimmed(type.substr(0, type.find(';'))), form_type);
}

// Nothing for control characters either.
std::optional<std::string> decoded(std::string_view text) {
    auto out = http::form_decode(text);
    const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == '\x7F'; };
    if (out && std::ranges::any_of(*out, is_control)) return std::nullopt;
    return out;
}

// A name without a value counts as absent, and twice as a fault (RFC 6749, section 3.2).
std::expected<Parameters, OAuthError> read_form(std::string_view body) {
    Parameters parameters;
    std::size_t count = 0;
    while (!body.empty()) {
        const std::string_view pair = body.substr(0, body.find('&'));
        body.remove_prefix(std::min(body.size(), pair.size() + 1));
        if (pair.empty()) continue;
        if (++count > parameters_max) return invalid("too many parameters");
        const std::size_t equals = pair.find('=');
        auto name = decoded(pair.substr(0, equals));
        auto value = decoded(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
        if (!name || !value) return invalid("the form is badly encoded");
        if (!parameters.emplace(*std::move(name), *std::move(value)).second) {
            return invalid("a parameter is there twice");
        }
    }
    std::erase_if(parameters, [](const auto& parameter) { return parameter.second.empty(); });
    return parameters;
}

bool is_audience(std::string_view text) {
    return text.size() <= audience_bytes_max &&
           std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

std::expected<std::string, OAuthError> audience_of(const Parameters& parameters,
                                                   const std::vector<std::string>& audiences) {
    const auto asked = parameters.find("audience");
    if (asked == parameters.end()) {
        return audiences.empty() ? std::string(default_audience) : audiences.front();
    }
    const bool known =
        audiences.empty() || std::ranges::find(audiences, asked->second) != audiences.end();
    if (!known || !is_audience(asked->second)) {
        return refused("invalid_target", "no token is issued for this audience");
    }
    return asked->second;
}

// What no token of this kind can give.
std::expected<void, OAuthError> check_demands(const Parameters& parameters) {
    if (parameters.contains("resource")) {
        return refused("invalid_target", "name an audience instead of a resource");
    }
    if (parameters.contains("scope")) return refused("invalid_scope", "there are no scopes");
    if (parameters.contains("actor_token") || parameters.contains("actor_token_type")) {
        return invalid("actor_token is not supported");
    }
    return {};
}

std::expected<ExchangeRequest, OAuthError> read_grant(const Parameters& parameters,
                                                      const std::vector<std::string>& audiences) {
    const auto get = [&](std::string_view name) -> std::string_view {
        const auto found = parameters.find(name);
        return found == parameters.end() ? std::string_view() : found->second;
    };
    if (get("grant_type").empty()) return invalid("grant_type is missing");
    if (get("grant_type") != token_exchange_grant) {
        return refused("unsupported_grant_type", "only token exchange (RFC 8693) is supported");
    }
    if (get("subject_token").empty()) return invalid("subject_token is missing");
    const std::string_view given = get("subject_token_type");
    if (given.empty()) return invalid("subject_token_type is missing");
    if (given != jwt_type && given != access_token_type) {
        return invalid("subject_token_type must be that of a JWT");
    }
    std::string_view wanted = get("requested_token_type");
    if (wanted.empty()) wanted = access_token_type;
    if (wanted != jwt_type && wanted != access_token_type) {
        return invalid("requested_token_type must be that of an access token or a JWT");
    }
    if (const auto served = check_demands(parameters); !served) {
        return std::unexpected(served.error());
    }
    auto audience = audience_of(parameters, audiences);
    if (!audience) return std::unexpected(audience.error());
    return ExchangeRequest{.subject_token = std::string(get("subject_token")),
                           .audience = *std::move(audience),
                           .issued_token_type = std::string(wanted)};
}

}  // namespace

std::expected<ExchangeRequest, OAuthError> read_exchange(
    const http::Request& request, const std::vector<std::string>& audiences) {
    if (!is_form(request.headers)) return invalid("the body must be a form");
    if (request.body.size() > exchange_body_max) return invalid("the body is too large");
    const auto parameters = read_form(request.body);
    if (!parameters) return std::unexpected(parameters.error());
    return read_grant(*parameters, audiences);
}

}  // namespace rollcall::gate
