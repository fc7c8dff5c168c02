// user_from_json: apart from clerk_user.cpp, because reading needs all the care that writing does
// not.
#include "sim/clerk_user.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace rollcall::sim {

namespace {

// Reads members and keeps the name of the first that is not as expected.
class Members {
public:
    explicit Members(const json::value& value) : object_(value.if_object()) {
        if (object_ == nullptr) wrong_ = "(not an object)";
    }

    void text(std::string_view name, std::string& into) {
        if (const auto* value = find(name)) {
            const auto* text = value->if_string();
            if (text == nullptr) return note(name);
            into = std::string(*text);
        }
    }

    void text(std::string_view name, std::optional<std::string>& into) {
        const auto* value = find(name);
        if (value == nullptr || value->is_null()) return;
        text(name, into.emplace());
    }

    void number(std::string_view name, std::int64_t& into) {
        if (const auto* value = find(name)) {
            if (!value->is_int64()) return note(name);
            into = value->get_int64();
        }
    }

    void number(std::string_view name, std::optional<std::int64_t>& into) {
        const auto* value = find(name);
        if (value == nullptr || value->is_null()) return;
        number(name, into.emplace());
    }

    void flag(std::string_view name, bool& into) {
        if (const auto* value = find(name)) {
            if (!value->is_bool()) return note(name);
            into = value->get_bool();
        }
    }

    void array(std::string_view name, json::array& into) {
        if (const auto* value = find(name)) {
            if (!value->is_array()) return note(name);
            into = value->get_array();
        }
    }

    void any(std::string_view name, json::value& into) {
        if (const auto* value = find(name)) into = *value;
    }

    [[nodiscard]] const json::value* find(std::string_view name) {
        if (object_ == nullptr) return nullptr;
        const auto* value = object_->if_contains(name);
        if (value == nullptr) note(name);
        return value;
    }

    void note(std::string_view name) {
        if (wrong_.empty()) wrong_ = name;
    }

    [[nodiscard]] const std::string& wrong() const { return wrong_; }

private:
    const json::object* object_;
    std::string wrong_;
};

Identification read_identification(const json::value& value, std::string_view kind,
                                   std::string& wrong) {
    Members members(value);
    Identification one;
    members.text("id", one.id);
    members.text(kind, one.value);
    members.number("created_at", one.created_at);
    members.number("updated_at", one.updated_at);
    bool reserved = false;
    if (kind != "web3_wallet") {
        members.flag("reserved", reserved);
        members.array("linked_to", one.linked_to);
    }
    one.standing = reserved ? Standing::reserved : Standing::unverified;
    const auto* verification = members.find("verification");
    if (verification != nullptr && verification->is_object()) {
        Members proof(*verification);
        std::string status;
        proof.text("status", status);
        proof.text("strategy", one.strategy);
        if (status == "verified") one.standing = Standing::verified;
        if (!proof.wrong().empty()) members.note("verification");
    }
    if (wrong.empty()) wrong = members.wrong();
    return one;
}

std::vector<Identification> read_identifications(Members& members, const std::string& list,
                                                 std::string_view kind) {
    json::array array;
    members.array(list, array);
    std::vector<Identification> all;
    std::string wrong;
    for (const auto& value : array) all.push_back(read_identification(value, kind, wrong));
    if (!wrong.empty()) members.note(list + "." + wrong);
    return all;
}

}  // namespace

Result<ClerkUser> user_from_json(const json::value& value) {
    Members members(value);
    ClerkUser user;
    members.text("id", user.id);
    members.text("external_id", user.external_id);
    members.text("username", user.username);
    members.text("first_name", user.first_name);
    members.text("last_name", user.last_name);
    members.text("locale", user.locale);
    members.text("primary_email_address_id", user.primary_email_address_id);
    members.text("primary_phone_number_id", user.primary_phone_number_id);
    members.text("primary_web3_wallet_id", user.primary_web3_wallet_id);
    user.email_addresses = read_identifications(members, "email_addresses", "email_address");
    user.phone_numbers = read_identifications(members, "phone_numbers", "phone_number");
    user.web3_wallets = read_identifications(members, "web3_wallets", "web3_wallet");
    members.array("external_accounts", user.external_accounts);
    members.any("public_metadata", user.public_metadata);
    members.any("private_metadata", user.private_metadata);
    members.any("unsafe_metadata", user.unsafe_metadata);
    members.flag("password_enabled", user.password_enabled);
    members.flag("totp_enabled", user.totp_enabled);
    members.flag("backup_code_enabled", user.backup_code_enabled);
    members.flag("banned", user.banned);
    members.flag("locked", user.locked);
    members.flag("delete_self_enabled", user.delete_self_enabled);
    members.flag("create_organization_enabled", user.create_organization_enabled);
    members.flag("bypass_client_trust", user.bypass_client_trust);
    members.number("create_organizations_limit", user.create_organizations_limit);
    members.number("password_last_updated_at", user.password_last_updated_at);
    members.number("last_sign_in_at", user.last_sign_in_at);
    members.number("last_active_at", user.last_active_at);
    members.number("mfa_enabled_at", user.mfa_enabled_at);
    members.number("legal_accepted_at", user.legal_accepted_at);
    members.number("created_at", user.created_at);
    members.number("updated_at", user.updated_at);
    if (user.id.empty()) members.note("id");
    if (members.wrong().empty()) return user;
    return fail(ErrorCode::invalid_input, "not a user: " + members.wrong());
}

}  // namespace rollcall::sim
