#include "clerk/key_source.hpp"

#include "crypto/digest.hpp"
#include "crypto/encoding.hpp"
#include "http/client.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::clerk {
namespace {

constexpr std::size_t publishable_key_bytes_max = 512;

std::unexpected<Error> refused(std::string message) {
    return fail(ErrorCode::bad_configuration, std::move(message));
}

bool is_host(std::string_view host) {
    const bool plain = std::ranges::all_of(host, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    });
    return plain && host.size() <= 253 && host.contains('.') && !host.contains("..") &&
           !host.starts_with('.') && !host.ends_with('.') && !host.starts_with('-');
}

std::string without_slash(std::string url) {
    while (url.ends_with('/')) url.pop_back();
    return url;
}

Result<void> check_url(std::string_view setting, const std::string& url) {
    const auto good = http::check_upstream_url(url);
    if (!good) return refused(std::string(setting) + ": " + good.error().message);
    return {};
}

}  // namespace

Result<std::string> frontend_api_of(std::string_view publishable_key) {
    const auto wrong = [] {
        return refused(
            "CLERK_PUBLISHABLE_KEY: pk_live_ or pk_test_ and the base64 of a host and $ is "
            "expected");
    };
    std::string_view rest = publishable_key;
    if (rest.size() > publishable_key_bytes_max ||
        !(rest.starts_with("pk_live_") || rest.starts_with("pk_test_"))) {
        return wrong();
    }
    rest.remove_prefix(8);
    std::string digits(rest);
    if (!digits.contains('=')) digits.append((4 - digits.size() % 4) % 4, '=');
    const auto decoded = crypto::base64_decode(digits);
    if (!decoded || !decoded->ends_with('$')) return wrong();
    const std::string host = decoded->substr(0, decoded->size() - 1);
    if (!is_host(host)) return wrong();
    return "https://" + host;
}

Result<KeySource> choose_key_source(const KeySettings& settings) {
    std::string frontend;
    if (!settings.publishable_key.empty()) {
        auto found = frontend_api_of(settings.publishable_key);
        if (!found) return std::unexpected(found.error());
        frontend = *std::move(found);
    }
    KeySource source;
    source.issuer = settings.issuer.empty() ? frontend : settings.issuer;
    if (!settings.jwt_key.empty()) {
        auto key = crypto::VerifyKey::from_pem(settings.jwt_key);
        if (!key) return refused("CLERK_JWT_KEY: " + key.error().message);
        source.pinned.emplace(*std::move(key));
        return source;
    }
    std::string_view setting = "gate.jwks_url";
    if (!settings.jwks_url.empty()) {
        source.url = settings.jwks_url;
    } else if (!settings.secret_key.empty()) {
        setting = "clerk.api_url";
        source.url = without_slash(settings.api_url) + "/v1/jwks";
        source.bearer = settings.secret_key;
    } else if (!frontend.empty()) {
        setting = "CLERK_PUBLISHABLE_KEY";
        source.url = frontend + "/.well-known/jwks.json";
    } else {
        return refused(
            "no source of keys for session tokens: set CLERK_JWT_KEY, gate.jwks_url, "
            "CLERK_SECRET_KEY or CLERK_PUBLISHABLE_KEY");
    }
    if (const auto good = check_url(setting, source.url); !good) {
        return std::unexpected(good.error());
    }
    return source;
}

std::vector<std::string> session_cookies(std::string_view publishable_key) {
    constexpr std::size_t suffix_bytes = 8;
    const std::string shared = "__session";
    if (publishable_key.empty()) return {shared};
    const auto hash = crypto::sha1(publishable_key);
    const auto suffix =
        crypto::base64url_encode(std::string(hash.begin(), hash.end())).substr(0, suffix_bytes);
    return {shared + "_" + suffix, shared};
}

}  // namespace rollcall::clerk
