#include "sim/clerk_endpoint.hpp"

#include "crypto/encoding.hpp"
#include "http/client.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <utility>

namespace rollcall::sim {

namespace {

// Svix signs with the current key and at most ten old ones.
constexpr std::size_t keys_max = 11;

std::string mac(const crypto::HmacKey& key, std::string_view signed_prefix, std::string_view body) {
    const auto digest = key.sign(signed_prefix, body);
    return "v1," +
           crypto::base64_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::unexpected<Error> not_loopback(std::string_view what, std::string_view value) {
    return fail(ErrorCode::bad_configuration,
                std::string(what) + " " + std::string(value) +
                    " is not one of this machine: the simulator serves and calls only loopback "
                    "addresses (127.0.0.1, [::1], localhost)");
}

}  // namespace

bool is_loopback_host(std::string_view host) {
    if (host == "localhost") return true;
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(std::string(host), error);
    return !error && address.is_loopback();
}

Result<void> check_webhook_url(std::string_view url) {
    // Asked of the client that will connect, so that both read the URL alike.
    if (!http::is_loopback_url(url)) return not_loopback("webhook URL", url);
    return {};
}

Result<void> check_loopback_listen(std::string_view listen) {
    const auto colon = listen.rfind(':');
    if (colon == std::string_view::npos || colon + 1 == listen.size()) {
        return fail(ErrorCode::bad_configuration,
                    "listen address " + std::string(listen) + " is not address:port");
    }
    if (!is_loopback_host(listen.substr(0, colon))) return not_loopback("listen address", listen);
    return {};
}

Result<void> WebhookEndpoint::rotate(std::string_view secret, SteadyTime now,
                                     std::chrono::milliseconds old_life) {
    auto encoded = secret;
    if (encoded.starts_with("whsec_")) encoded.remove_prefix(6);
    const auto key = crypto::base64_decode(encoded);
    if (!key || key->size() < 24 || key->size() > 64) {
        return fail(ErrorCode::bad_configuration,
                    "a webhook secret must be whsec_ and base64 of 24 to 64 bytes");
    }
    for (auto& old : keys_) old.until = std::min(old.until, now + old_life);
    keys_.insert(keys_.begin(), {std::string(secret), crypto::HmacKey(*key), SteadyTime::max()});
    if (keys_.size() > keys_max) keys_.pop_back();
    return {};
}

std::vector<std::string> WebhookEndpoint::secrets(SteadyTime now) const {
    std::vector<std::string> valid;
    for (const auto& key : keys_) {
        if (now < key.until) valid.push_back(key.text);
    }
    return valid;
}

std::string WebhookEndpoint::sign(std::string_view id, std::string_view timestamp,
                                  std::string_view body, SigningMode mode, SteadyTime now) const {
    std::string prefix;
    prefix.append(id).append(".").append(timestamp).append(".");
    if (mode == SigningMode::old_key && keys_.size() > 1) {
        return mac(keys_[1].hmac, prefix, body);
    }
    if (mode != SigningMode::valid_keys) {
        return mac(crypto::HmacKey("a key that no receiver has"), prefix, body);
    }
    std::string header;
    for (const auto& key : keys_) {
        if (now >= key.until) continue;
        if (!header.empty()) header += ' ';
        header += mac(key.hmac, prefix, body);
    }
    return header;
}

}  // namespace rollcall::sim
