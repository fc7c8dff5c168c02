// rollcall verify token: says why a session token is accepted or refused, by the code that the gate
// asks.
#include "clerk/session_token.hpp"
#include "cli/commands.hpp"
#include "cli/input.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <memory>

namespace rollcall::cli {
namespace {

namespace json = boost::json;

struct TokenArguments {
    std::string jwks, token_file;
    std::optional<std::string> issuer;
    std::vector<std::string> parties, audiences, algorithms;
    std::optional<std::int64_t> now;
    std::int64_t lifetime_max = 3600;
    bool raw_payload = false;
};

constexpr std::int64_t latest_second = 253'402'300'799;  // 9999-12-31T23:59:59Z

int refuse(const clerk::TokenRefusal& refusal, bool as_json) {
    const std::string_view reason = to_string(refusal.reason);
    if (as_json) {
        json::object object{{"accepted", false}, {"reason", reason}, {"detail", refusal.detail}};
        if (const auto theirs = clerk_reason(refusal.reason); !theirs.empty()) {
            object["clerk_reason"] = theirs;
        }
        fmt::print("{}\n", json::serialize(object));
    } else {
        fmt::print("{}: {}\n", reason, refusal.detail);
    }
    return exit_found;
}

json::object described(const clerk::SessionClaims& claims) {
    json::object object{{"accepted", true},
                        {"reason", "ok"},
                        {"subject", claims.subject},
                        {"session", claims.session_id},
                        {"issuer", claims.issuer},
                        {"issued_at", to_rfc3339(claims.issued_at)},
                        {"expires_at", to_rfc3339(claims.expires_at)}};
    if (claims.authorized_party) object["authorized_party"] = *claims.authorized_party;
    if (claims.organization) {
        const auto& from = *claims.organization;
        json::array permissions(from.permissions.begin(), from.permissions.end());
        object["organization"] = json::object{{"id", from.id},
                                              {"slug", from.slug},
                                              {"role", from.role},
                                              {"permissions", std::move(permissions)}};
    }
    if (claims.factor_ages) {
        object["factor_ages_minutes"] =
            json::array{claims.factor_ages->first, claims.factor_ages->second};
    }
    if (claims.actor) object["actor"] = claims.actor->subject;
    return object;
}

int accept(const clerk::SessionClaims& claims, bool as_json) {
    if (as_json) {
        fmt::print("{}\n", json::serialize(described(claims)));
    } else {
        fmt::print("ok: session {} of {}, until {}\n", claims.session_id, claims.subject,
                   to_rfc3339(claims.expires_at));
    }
    return exit_ok;
}

int accept_signature(bool as_json) {
    fmt::print("{}\n", as_json ? R"({"accepted":true,"reason":"ok"})"
                               : "ok: the signature is good; nothing else was looked at");
    return exit_ok;
}

std::expected<crypto::JwkSet, clerk::TokenRefusal> keys_of(std::string_view text) {
    using enum clerk::TokenReason;
    if (text.starts_with("-----BEGIN ")) {
        auto key = crypto::VerifyKey::from_pem(text);
        if (key) return crypto::JwkSet::pinned(*std::move(key));
        return std::unexpected(
            clerk::TokenRefusal{jwks_unavailable, "the PEM holds no public key that can be used"});
    }
    auto set = crypto::JwkSet::parse(text);
    if (set) return *std::move(set);
    return std::unexpected(clerk::TokenRefusal{jwks_unavailable, describe(set.error())});
}

clerk::TokenRules rules_of(const TokenArguments& arguments) {
    clerk::TokenRules rules;
    rules.any_issuer = !arguments.issuer;
    if (arguments.issuer) rules.issuers = {*arguments.issuer};
    rules.authorized_parties = arguments.parties;
    rules.audiences = arguments.audiences;
    rules.lifetime_max = std::chrono::seconds(arguments.lifetime_max);
    if (!arguments.algorithms.empty()) rules.algorithms.clear();
    for (const auto& name : arguments.algorithms) {
        rules.algorithms.push_back(*crypto::parse_algorithm(name));
    }
    return rules;
}

std::string_view without_newline(std::string_view text) {
    if (text.ends_with('\n')) {
        text.remove_suffix(1);
        if (text.ends_with('\r')) text.remove_suffix(1);
    }
    return text;
}

int verify_token(const TokenArguments& arguments, bool as_json) {
    const auto key_text = read_input(arguments.jwks);
    if (!key_text) return report(key_text.error());
    const auto file = read_input(arguments.token_file);
    if (!file) return report(file.error());
    const auto keys = keys_of(*key_text);
    if (!keys) return refuse(keys.error(), as_json);
    const std::string_view token = without_newline(*file);
    const auto rules = rules_of(arguments);
    if (arguments.raw_payload) {
        const auto good = clerk::verify_signature(token, *keys, rules.algorithms);
        return good ? accept_signature(as_json) : refuse(good.error(), as_json);
    }
    const SystemTime now =
        arguments.now ? SystemTime(std::chrono::seconds(*arguments.now)) : real_clock().now();
    const auto claims = clerk::verify(token, *keys, rules, now);
    return claims ? accept(*claims, as_json) : refuse(claims.error(), as_json);
}

std::string check_algorithm(const std::string& name) {
    return crypto::parse_algorithm(name) ? "" : "RS256, ES256 or PS256 is expected";
}

}  // namespace

void add_verify_token_command(CLI::App& verify, const Globals& globals, int& exit_code) {
    auto* command = verify.add_subcommand(
        "token",
        "Checks a Clerk session token. Prints the reason first: ok, or one of those that "
        "docs/tokens.md lists");
    const auto arguments = std::make_shared<TokenArguments>();
    command->add_option("--jwks", arguments->jwks, "Key set (JSON), or one public key (PEM)")
        ->required()
        ->type_name("FILE");
    command->add_option("--issuer", arguments->issuer, "What iss must be; any unless given");
    command->add_option("--authorized-party", arguments->parties, "What azp may be; repeatable")
        ->allow_extra_args(false);
    command->add_option("--audience", arguments->audiences, "What aud may hold; repeatable")
        ->allow_extra_args(false);
    command
        ->add_option("--alg", arguments->algorithms,
                     "Allowed algorithm: RS256 (the default), ES256, PS256; repeatable")
        ->allow_extra_args(false)
        ->check(check_algorithm);
    command->add_option("--now", arguments->now, "Seconds since 1970 to judge by, not the clock")
        ->check(CLI::Range(std::int64_t{0}, latest_second));
    command
        ->add_option("--max-lifetime", arguments->lifetime_max,
                     "Seconds from iat to exp at most; 3600 unless given")
        ->check(CLI::Range(std::int64_t{1}, latest_second));
    command->add_flag("--raw-payload", arguments->raw_payload,
                      "Only the signature, whatever the payload is");
    command->add_option("--token-file", arguments->token_file, "The token; - for standard input")
        ->required()
        ->type_name("FILE|-");
    command->callback(
        [arguments, &globals, &exit_code] { exit_code = verify_token(*arguments, globals.json); });
}

}  // namespace rollcall::cli
