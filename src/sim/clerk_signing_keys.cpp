#include "sim/clerk_signing_keys.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace rollcall::sim {

namespace json = boost::json;

void ClerkSigningKeys::give(crypto::RsaSigningKey key) {
    ensure(keys_.empty(), "the first key was given too late");
    keys_.push_back({first_kid_, std::move(key)});
}

const ClerkSigningKeys::Named& ClerkSigningKeys::current() {
    return published().front();
}

void ClerkSigningKeys::rotate(std::string kid, bool overlap) {
    if (!overlap) keys_.clear();
    // So that tokens made before stay good while their key is published.
    if (overlap && keys_.empty()) give(crypto::RsaSigningKey::make());
    keys_.insert(keys_.begin(), Named{std::move(kid), crypto::RsaSigningKey::make()});
    if (keys_.size() > keys_max) keys_.pop_back();
}

bool ClerkSigningKeys::withdraw(std::string_view kid) {
    const auto found = std::ranges::find(keys_, kid, &Named::kid);
    if (found == keys_.end() || found == keys_.begin()) return false;
    keys_.erase(found);
    return true;
}

const std::vector<ClerkSigningKeys::Named>& ClerkSigningKeys::published() {
    if (keys_.empty()) give(crypto::RsaSigningKey::make());
    return keys_;
}

std::string ClerkSigningKeys::jwks() {
    json::array keys;
    for (const auto& [kid, key] : published()) {
        auto jwk = json::parse(key.members()).as_object();
        jwk["use"] = "sig";
        jwk["kid"] = kid;
        jwk["alg"] = "RS256";
        keys.emplace_back(std::move(jwk));
    }
    return json::serialize(json::object{{"keys", std::move(keys)}});
}

}  // namespace rollcall::sim
