#include "sim/clerk_user.hpp"

#include <initializer_list>

namespace rollcall::sim {

namespace {

constexpr std::string_view image_url = "https://img.clerk.com/simulated";

json::value nullable(const std::optional<std::string>& text) {
    if (!text) return nullptr;
    return json::string(*text);
}

json::value nullable(const std::optional<std::int64_t>& number) {
    if (!number) return nullptr;
    return *number;
}

json::value verification_to_json(const Identification& identification) {
    const bool verified = identification.standing == Standing::verified;
    const std::string_view strategy = identification.strategy;
    // Marked by the Backend API as not verified: nothing was ever sent out to be confirmed.
    if (!verified && strategy == "admin") return nullptr;
    std::string_view object = "verification_otp";
    if (strategy == "admin") object = "verification_admin";
    if (strategy.starts_with("from_oauth_")) object = "verification_from_oauth";
    if (strategy.starts_with("web3_")) object = "verification_web3";
    const bool sent = object == "verification_otp";
    return json::object{{"object", object},
                        {"status", verified ? "verified" : "unverified"},
                        {"strategy", strategy},
                        {"attempts", sent && verified ? json::value(1) : json::value(nullptr)},
                        {"expire_at", sent ? json::value(identification.created_at + 600'000)
                                           : json::value(nullptr)}};
}

json::object identification_to_json(const Identification& identification, std::string_view kind) {
    json::object object{{"id", identification.id},
                        {"object", kind},
                        {kind, identification.value},
                        {"reserved", identification.standing == Standing::reserved},
                        {"verification", verification_to_json(identification)},
                        {"linked_to", identification.linked_to}};
    if (kind == "phone_number") {
        object["reserved_for_second_factor"] = false;
        object["default_second_factor"] = false;
        object["backup_codes"] = nullptr;
    }
    if (kind == "web3_wallet") {
        object.erase("reserved");
        object.erase("linked_to");
    }
    object["created_at"] = identification.created_at;
    object["updated_at"] = identification.updated_at;
    return object;
}

json::array all_to_json(const std::vector<Identification>& identifications, std::string_view kind) {
    json::array array;
    array.reserve(identifications.size());
    for (const auto& identification : identifications) {
        array.emplace_back(identification_to_json(identification, kind));
    }
    return array;
}

}  // namespace

json::object email_to_json(const Identification& email) {
    return identification_to_json(email, "email_address");
}

json::object to_json(const ClerkUser& user) {
    const bool mfa = user.totp_enabled || user.backup_code_enabled;
    return {{"object", "user"},
            {"id", user.id},
            {"external_id", nullable(user.external_id)},
            {"primary_email_address_id", nullable(user.primary_email_address_id)},
            {"primary_phone_number_id", nullable(user.primary_phone_number_id)},
            {"primary_web3_wallet_id", nullable(user.primary_web3_wallet_id)},
            {"username", nullable(user.username)},
            {"first_name", nullable(user.first_name)},
            {"last_name", nullable(user.last_name)},
            {"locale", nullable(user.locale)},
            {"profile_image_url", image_url},
            {"image_url", image_url},
            {"has_image", false},
            {"public_metadata", user.public_metadata},
            {"private_metadata", user.private_metadata},
            {"unsafe_metadata", user.unsafe_metadata},
            {"email_addresses", all_to_json(user.email_addresses, "email_address")},
            {"phone_numbers", all_to_json(user.phone_numbers, "phone_number")},
            {"web3_wallets", all_to_json(user.web3_wallets, "web3_wallet")},
            {"passkeys", json::array()},
            {"password_enabled", user.password_enabled},
            {"two_factor_enabled", mfa},
            {"totp_enabled", user.totp_enabled},
            {"backup_code_enabled", user.backup_code_enabled},
            {"mfa_enabled_at", nullable(user.mfa_enabled_at)},
            {"mfa_disabled_at", nullptr},
            {"password_last_updated_at", nullable(user.password_last_updated_at)},
            {"external_accounts", user.external_accounts},
            {"saml_accounts", json::array()},
            {"enterprise_accounts", json::array()},
            {"last_sign_in_at", nullable(user.last_sign_in_at)},
            {"banned", user.banned},
            {"locked", user.locked},
            // A lock set by the Backend API never runs out here.
            {"lockout_expires_in_seconds", nullptr},
            {"verification_attempts_remaining", 100},
            {"updated_at", user.updated_at},
            {"created_at", user.created_at},
            {"delete_self_enabled", user.delete_self_enabled},
            {"create_organization_enabled", user.create_organization_enabled},
            {"create_organizations_limit", nullable(user.create_organizations_limit)},
            {"last_active_at", nullable(user.last_active_at)},
            {"legal_accepted_at", nullable(user.legal_accepted_at)},
            {"bypass_client_trust", user.bypass_client_trust}};
}

json::object deleted_to_json(const ClerkUser& user) {
    json::object object{{"object", "user"}, {"id", user.id}, {"deleted", true}};
    if (user.external_id) object["external_id"] = *user.external_id;
    return object;
}

}  // namespace rollcall::sim
