#include "clerk/session_claims.hpp"

#include "base/ascii.hpp"
#include "base/json_document.hpp"
#include "crypto/strict_json.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace rollcall::clerk {
namespace {

using crypto::member;
using simdjson::dom::element;
using simdjson::dom::object;
using Outcome = std::optional<TokenRefusal>;  // nothing: go on

constexpr std::size_t id_bytes_max = 255;
constexpr double latest_second = 253'402'300'799;  // 9999-12-31T23:59:59Z

TokenRefusal refuse(TokenReason reason, std::string_view detail) {
    return {reason, detail};
}

bool is_user_id(std::string_view id) {
    constexpr std::string_view prefix = "user_";
    return id.starts_with(prefix) && id.size() > prefix.size() && id.size() <= id_bytes_max &&
           std::ranges::all_of(id.substr(prefix.size()), is_alphanumeric);
}

bool is_plain(std::string_view text) {
    return !text.empty() && text.size() <= id_bytes_max &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

// NumericDate (RFC 7519 section 2): seconds, perhaps with a fraction.
std::optional<SystemTime> time_of(const element& value) {
    double seconds = 0;
    if (value.get_double().get(seconds) != simdjson::SUCCESS) return std::nullopt;
    if (!(seconds >= 0) || seconds > latest_second) return std::nullopt;
    return SystemTime(std::chrono::milliseconds(std::llround(std::floor(seconds * 1000))));
}

// A number for each name of three bytes at most, 0 for the others.
constexpr std::uint32_t packed(std::string_view name) {
    if (name.size() > 3) return 0;
    auto out = static_cast<std::uint32_t>(name.size());  // else "\0\0v" would be "v"
    for (const char c : name) out = out << 8U | static_cast<std::uint8_t>(c);
    return out;
}

// The claims that are read here, found in one pass over all: to look for each costs more than the
// rest of the reading.
struct Claims {
    using Claim = std::optional<element>;

    explicit Claims(const object& all) {
        for (const auto& [name, value] : all) {
            if (Claim* const claim = find(name)) *claim = value;
        }
    }

    Claim* find(std::string_view name) {
        switch (packed(name)) {
            case packed("exp"):
                return &exp;
            case packed("iat"):
                return &iat;
            case packed("nbf"):
                return &nbf;
            case packed("sub"):
                return &sub;
            case packed("sid"):
                return &sid;
            case packed("iss"):
                return &iss;
            case packed("azp"):
                return &azp;
            case packed("aud"):
                return &aud;
            case packed("v"):
                return &v;
            case packed("sts"):
                return &sts;
            case packed("jti"):
                return &jti;
            case packed("fva"):
                return &fva;
            case packed("act"):
                return &act;
            default:
                return nullptr;
        }
    }

    Claim exp, iat, nbf, sub, sid, iss, azp, aud, v, sts, jti, fva, act;
};

// False when it is there and no string.
bool read_text(const Claims::Claim& claim, std::optional<std::string>& into) {
    if (!claim) return true;
    const auto text = as_string(*claim);
    if (text) into.emplace(*text);
    return text.has_value();
}

class Reader {
public:
    explicit Reader(const object& all) : all_(all), claims_(all) {}

    std::expected<SessionClaims, TokenRefusal> read() {
        for (const auto step : {&Reader::times, &Reader::subject, &Reader::session,
                                &Reader::parties, &Reader::details, &Reader::actor}) {
            if (auto refusal = (this->*step)()) return std::unexpected(*std::move(refusal));
        }
        auto organization = read_organization(all_, out_.version);
        if (!organization) return std::unexpected(std::move(organization.error()));
        out_.organization = *std::move(organization);
        return std::move(out_);
    }

private:
    Outcome times() {
        const auto expires = claims_.exp ? time_of(*claims_.exp) : std::nullopt;
        const auto issued = claims_.iat ? time_of(*claims_.iat) : std::nullopt;
        if (!expires || !issued) {
            return refuse(TokenReason::malformed, "exp or iat is not there, or no time");
        }
        // Whole seconds, as Clerk's SDK counts: half a second too long is too long.
        out_.expires_at = std::chrono::floor<std::chrono::seconds>(*expires);
        out_.issued_at = *issued;
        if (claims_.nbf) {
            out_.not_before = time_of(*claims_.nbf);
            if (!out_.not_before) return refuse(TokenReason::malformed, "nbf is no time");
        }
        return std::nullopt;
    }

    Outcome subject() {
        std::optional<std::string> subject;
        if (!read_text(claims_.sub, subject) || !subject || !is_user_id(*subject)) {
            return refuse(TokenReason::bad_subject, "sub is no id of a user (user_…)");
        }
        out_.subject = *std::move(subject);
        return std::nullopt;
    }

    Outcome session() {
        if (!claims_.sid) {
            return refuse(TokenReason::bad_type,
                          "no sid: not a session's token (made from a JWT template, perhaps)");
        }
        out_.session_id = as_string(*claims_.sid).value_or("");
        if (!is_plain(out_.session_id)) {
            return refuse(TokenReason::malformed, "sid is no id of a session");
        }
        return std::nullopt;
    }

    Outcome parties() {
        std::optional<std::string> issuer;
        if (!read_text(claims_.iss, issuer)) {
            return refuse(TokenReason::bad_issuer, "iss is no string");
        }
        out_.issuer = std::move(issuer).value_or("");
        if (!read_text(claims_.azp, out_.authorized_party)) {
            return refuse(TokenReason::bad_azp, "azp is no string");
        }
        return audience();
    }

    // RFC 7519 section 4.1.3: one or a list.
    Outcome audience() {
        const auto& value = claims_.aud;
        if (!value) return std::nullopt;
        if (const auto one = as_string(*value)) {
            out_.audience.emplace_back(*one);
            return std::nullopt;
        }
        simdjson::dom::array list;
        if (value->get_array().get(list) != simdjson::SUCCESS) {
            return refuse(TokenReason::bad_audience, "aud is neither a string nor a list");
        }
        for (const auto& item : list) {
            const auto one = as_string(item);
            if (!one) return refuse(TokenReason::bad_audience, "aud holds what is no string");
            out_.audience.emplace_back(*one);
        }
        return std::nullopt;
    }

    Outcome details() {
        if (claims_.v && claims_.v->get_int64().get(out_.version) != simdjson::SUCCESS) {
            return refuse(TokenReason::malformed, "v is no whole number");
        }
        if (!read_text(claims_.sts, out_.status)) {
            return refuse(TokenReason::malformed, "sts is no string");
        }
        std::optional<std::string> id;
        if (!read_text(claims_.jti, id)) return refuse(TokenReason::malformed, "jti is no string");
        out_.token_id = std::move(id).value_or("");
        return factor_ages();
    }

    Outcome factor_ages() {
        const auto& value = claims_.fva;
        if (!value || value->is_null()) return std::nullopt;
        simdjson::dom::array pair;
        FactorAges ages;
        const bool good = value->get_array().get(pair) == simdjson::SUCCESS && pair.size() == 2 &&
                          pair.at(0).get_int64().get(ages.first) == simdjson::SUCCESS &&
                          pair.at(1).get_int64().get(ages.second) == simdjson::SUCCESS;
        if (!good || ages.first < -1 || ages.second < -1) {
            return refuse(TokenReason::malformed, "fva is no pair of minutes");
        }
        out_.factor_ages = ages;
        return std::nullopt;
    }

    Outcome actor() {
        const auto& value = claims_.act;
        if (!value || value->is_null()) return std::nullopt;
        object act;
        if (value->get_object().get(act) != simdjson::SUCCESS) {
            return refuse(TokenReason::malformed, "act is no object");
        }
        const auto of = [&](std::string_view name) {
            const auto found = member(act, name);
            return found ? std::string(as_string(*found).value_or("")) : std::string();
        };
        Actor actor{.subject = of("sub"), .issuer = of("iss"), .session = of("sid")};
        if (!is_plain(actor.subject)) return refuse(TokenReason::malformed, "act has no sub");
        out_.actor = std::move(actor);
        return std::nullopt;
    }

    object all_;
    Claims claims_;
    SessionClaims out_;
};

}  // namespace

std::expected<SessionClaims, TokenRefusal> read_session_claims(std::string_view payload) {
    static thread_local crypto::StrictJson json;  // keeps its buffers, of a token at most
    const auto root = json.parse(payload);
    if (!root) {
        return std::unexpected(
            refuse(TokenReason::malformed, "the payload is no JSON with one meaning"));
    }
    object claims;
    if (root->get_object().get(claims) != simdjson::SUCCESS) {
        return std::unexpected(refuse(TokenReason::malformed, "the payload is no JSON object"));
    }
    return Reader(claims).read();
}

}  // namespace rollcall::clerk
