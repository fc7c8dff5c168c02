#include "crypto/jwk_set.hpp"

#include "base/json_document.hpp"
#include "crypto/encoding.hpp"
#include "crypto/strict_json.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace rollcall::crypto {
namespace {

using simdjson::dom::object;

// RFC 7518 sections 6.2.2 and 6.3.2.
constexpr std::array<std::string_view, 7> private_members{"d", "p", "q", "dp", "dq", "qi", "oth"};

std::unexpected<Error> unusable(std::string why) {
    return fail(ErrorCode::invalid_input, std::move(why));
}

// Nothing when it is absent; "" when it is no string, which is no value that is looked for.
std::optional<std::string_view> text_of(const object& key, std::string_view name) {
    const auto value = member(key, name);
    if (!value) return std::nullopt;
    return as_string(*value).value_or("");
}

std::optional<std::string> number_of(const object& key, std::string_view name) {
    return base64url_decode(text_of(key, name).value_or("="));
}

std::optional<JwkSetFault> secret_in(const object& key) {
    if (text_of(key, "kty") == "oct" || member(key, "k")) return JwkSetFault::symmetric_key;
    const bool is_private = std::ranges::any_of(
        private_members, [&](std::string_view name) { return member(key, name).has_value(); });
    if (is_private) return JwkSetFault::private_key;
    return std::nullopt;
}

bool may_verify(const object& key) {
    const auto operations = member(key, "key_ops");
    if (!operations) return true;
    simdjson::dom::array list;
    if (operations->get_array().get(list) != simdjson::SUCCESS) return false;
    return std::ranges::any_of(list, [](const auto& item) { return as_string(item) == "verify"; });
}

Result<VerifyKey> numbers_of(const object& key) {
    const auto type = text_of(key, "kty").value_or("");
    if (type == "RSA") {
        const auto n = number_of(key, "n");
        const auto e = number_of(key, "e");
        if (!n || !e) return unusable("n or e is not there, or not base64url");
        return VerifyKey::from_rsa(*n, *e);
    }
    if (type == "EC") {
        if (text_of(key, "crv") != "P-256") return unusable("of another curve than P-256");
        const auto x = number_of(key, "x");
        const auto y = number_of(key, "y");
        if (!x || !y) return unusable("x or y is not there, or not base64url");
        return VerifyKey::from_p256(*x, *y);
    }
    return unusable("of another type than RSA and EC");
}

Result<VerifyKey> key_of(const object& jwk) {
    if (text_of(jwk, "use").value_or("sig") != "sig") return unusable("not for signatures (use)");
    if (!may_verify(jwk)) return unusable("not for verifying (key_ops)");
    auto key = numbers_of(jwk);
    const auto name = text_of(jwk, "alg");
    if (!key || !name) return key;
    const auto algorithm = parse_algorithm(*name);
    if (!algorithm || !key->serves(*algorithm)) {
        return unusable("for an algorithm that is not used here, or that does not fit its type");
    }
    key->only(*algorithm);
    return key;
}

}  // namespace

// Reads one set; what is left out is noted on the way.
class JwkSet::Reader {
public:
    std::optional<JwkSetFault> read(const simdjson::dom::element& root) {
        object whole;
        if (root.get_object().get(whole) != simdjson::SUCCESS) return JwkSetFault::not_a_set;
        const auto keys = member(whole, "keys");
        simdjson::dom::array list;
        if (!keys || keys->get_array().get(list) != simdjson::SUCCESS) {
            return JwkSetFault::not_a_set;
        }
        if (list.size() > keys_max) return JwkSetFault::too_many_keys;
        for (const auto& item : list) {
            object jwk;
            if (item.get_object().get(jwk) != simdjson::SUCCESS) return JwkSetFault::not_a_set;
            if (const auto fault = take(jwk)) return fault;
        }
        std::ranges::sort(kids_);
        if (std::ranges::adjacent_find(kids_) != kids_.end()) return JwkSetFault::duplicate_kid;
        if (set.keys_.empty()) return JwkSetFault::no_usable_key;
        return std::nullopt;
    }

    JwkSet set;

private:
    std::optional<JwkSetFault> take(const object& jwk) {
        if (const auto fault = secret_in(jwk)) return fault;
        const auto kid = text_of(jwk, "kid");
        if (kid) kids_.push_back(*kid);
        const std::string name(kid.value_or("").substr(0, kid_bytes_max));
        if (kid && (kid->empty() || kid->size() > kid_bytes_max)) {
            set.left_out_.push_back({name, "its kid is no string, empty or too long"});
            return std::nullopt;
        }
        auto key = key_of(jwk);
        if (key) {
            set.keys_.push_back({name, *std::move(key)});
        } else {
            set.left_out_.push_back({name, key.error().message});
        }
        return std::nullopt;
    }

    std::vector<std::string_view> kids_;  // of all keys, those left out too
};

std::string_view to_string(JwkSetFault fault) {
    switch (fault) {
        case JwkSetFault::too_large:
            return "too_large";
        case JwkSetFault::not_json:
            return "not_json";
        case JwkSetFault::not_a_set:
            return "not_a_set";
        case JwkSetFault::too_many_keys:
            return "too_many_keys";
        case JwkSetFault::duplicate_kid:
            return "duplicate_kid";
        case JwkSetFault::symmetric_key:
            return "symmetric_key";
        case JwkSetFault::private_key:
            return "private_key";
        case JwkSetFault::no_usable_key:
            return "no_usable_key";
    }
    return "";
}

std::string_view describe(JwkSetFault fault) {
    switch (fault) {
        case JwkSetFault::too_large:
            return "the key set is larger than 256 KiB";
        case JwkSetFault::not_json:
            return "the key set is no JSON with one meaning";
        case JwkSetFault::not_a_set:
            return "no object with an array \"keys\" of objects";
        case JwkSetFault::too_many_keys:
            return "the key set has more than 32 keys";
        case JwkSetFault::duplicate_kid:
            return "two keys of the set have the same kid";
        case JwkSetFault::symmetric_key:
            return "the key set holds a symmetric key, which is a secret that is public now";
        case JwkSetFault::private_key:
            return "the key set holds a private key, which is a secret that is public now";
        case JwkSetFault::no_usable_key:
            return "the key set holds no key that can be used";
    }
    return "";
}

std::expected<JwkSet, JwkSetFault> JwkSet::parse(std::string_view text) {
    if (text.size() > bytes_max) return std::unexpected(JwkSetFault::too_large);
    StrictJson json;
    const auto root = json.parse(text);
    if (!root) return std::unexpected(JwkSetFault::not_json);
    Reader reader;
    if (const auto fault = reader.read(*root)) return std::unexpected(*fault);
    return std::move(reader.set);
}

JwkSet JwkSet::pinned(VerifyKey key) {
    JwkSet set;
    set.keys_.push_back({"", std::move(key)});
    set.pinned_ = true;
    return set;
}

const VerifyKey* JwkSet::find(std::string_view kid) const {
    if (pinned_) return sole();
    if (kid.empty()) return nullptr;
    const auto found = std::ranges::find(keys_, kid, &Named::kid);
    return found == keys_.end() ? nullptr : &found->key;
}

const VerifyKey* JwkSet::sole() const {
    return keys_.size() == 1 ? &keys_.front().key : nullptr;
}

bool JwkSet::shares_key_with(const JwkSet& other) const {
    const auto theirs = other.kids();
    return std::ranges::any_of(kids(), [&](const std::string& kid) {
        return std::ranges::find(theirs, kid) != theirs.end();
    });
}

std::vector<std::string> JwkSet::kids() const {
    std::vector<std::string> kids;
    for (const auto& key : keys_) {
        if (!key.kid.empty()) kids.push_back(key.kid);
    }
    return kids;
}

}  // namespace rollcall::crypto
