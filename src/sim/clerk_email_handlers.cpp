#include "base/ascii.hpp"
#include "sim/clerk_handlers.hpp"
#include "sim/clerk_params.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace rollcall::sim {

namespace {

Identification* find_email(ClerkUser& user, std::string_view id) {
    const auto found = std::ranges::find(user.email_addresses, id, &Identification::id);
    return found == user.email_addresses.end() ? nullptr : &*found;
}

// A copy of the user who has the e-mail address `call.id`; nothing when nobody has.
std::optional<ClerkUser> owner_of(ClerkInstance& clerk, const ApiCall& call) {
    const auto* user = clerk.users.find_by_identification(call.id);
    if (user == nullptr) return std::nullopt;
    ClerkUser copy = *user;
    if (find_email(copy, call.id) == nullptr) return std::nullopt;
    return copy;
}

ClerkReply saved_email(ClerkInstance& clerk, ClerkUser user, const std::string& email_id,
                       const ApiCall& call) {
    if (!clerk.users.conflict(user).empty()) {
        return std::unexpected(errors::identifier_exists("email_address"));
    }
    clerk.save(user, call.origin);
    return email_to_json(*find_email(user, email_id));
}

Standing read_standing(Params& params) {
    std::optional<std::string> status = "verified";
    params.text("identification_status", status);
    if (status == "verified") return Standing::verified;
    if (status == "reserved") return Standing::reserved;
    if (status != "unverified") {
        params.complain("identification_status", "must be verified, reserved or unverified");
    }
    return Standing::unverified;
}

Identification new_email(ClerkInstance& clerk, std::string address, Standing standing) {
    const auto at = clerk.now();
    return {.id = clerk.ids.make("idn_"),
            .value = std::move(address),
            .standing = standing,
            .strategy = "admin",
            .linked_to = {},
            .created_at = at,
            .updated_at = at};
}

std::string read_address(Params& params) {
    std::optional<std::string> address;
    params.text("email_address", address);
    if (!plausible_email(address.value_or(""))) {
        params.complain("email_address", "must be a valid email address");
    }
    return address.value_or("");
}

}  // namespace

bool plausible_email(std::string_view address) {
    const auto at = address.find('@');
    return at != std::string_view::npos && at > 0 && at + 1 < address.size() &&
           address.find('@', at + 1) == std::string_view::npos &&
           std::ranges::all_of(address, [](char c) { return static_cast<unsigned char>(c) > ' '; });
}

ClerkReply replace_user_email(ClerkInstance& clerk, const ApiCall& call) {
    const auto* found = clerk.users.find(call.id);
    if (found == nullptr) return std::unexpected(errors::user_not_found(call.id));
    Params params(call.body, {"email_address", "identification_status",
                              "notify_primary_email_address_changed"});
    auto address = read_address(params);
    const auto standing = read_standing(params);
    if (params.error()) return std::unexpected(*params.error());
    ClerkUser user = *found;
    user.email_addresses = {new_email(clerk, std::move(address), standing)};
    const auto email_id = user.email_addresses.front().id;
    user.primary_email_address_id = email_id;
    return saved_email(clerk, std::move(user), email_id, call);
}

ClerkReply create_email(ClerkInstance& clerk, const ApiCall& call) {
    Params params(call.body, {"user_id", "email_address", "verified", "primary",
                              "notify_primary_email_address_changed"});
    std::optional<std::string> user_id;
    params.text("user_id", user_id);
    auto address = read_address(params);
    bool verified = false;
    params.flag("verified", verified);
    bool primary = false;
    params.flag("primary", primary);
    if (params.error()) return std::unexpected(*params.error());
    const auto* found = clerk.users.find(user_id.value_or(""));
    if (found == nullptr) return std::unexpected(errors::user_not_found(user_id.value_or("")));
    ClerkUser user = *found;
    const bool repeated = std::ranges::any_of(user.email_addresses, [&](const auto& one) {
        return to_lower(one.value) == to_lower(address);
    });
    if (repeated) return std::unexpected(errors::identifier_exists("email_address"));
    const bool first = user.email_addresses.empty();
    user.email_addresses.push_back(
        new_email(clerk, std::move(address), verified ? Standing::verified : Standing::unverified));
    const auto email_id = user.email_addresses.back().id;
    if (verified && (primary || first)) user.primary_email_address_id = email_id;
    return saved_email(clerk, std::move(user), email_id, call);
}

ClerkReply get_email(ClerkInstance& clerk, const ApiCall& call) {
    auto user = owner_of(clerk, call);
    if (!user) return std::unexpected(errors::email_not_found(call.id));
    return email_to_json(*find_email(*user, call.id));
}

ClerkReply update_email(ClerkInstance& clerk, const ApiCall& call) {
    auto user = owner_of(clerk, call);
    if (!user) return std::unexpected(errors::email_not_found(call.id));
    Params params(call.body, {"verified", "primary", "notify_primary_email_address_changed"});
    auto& email = *find_email(*user, call.id);
    bool verified = email.standing == Standing::verified;
    params.flag("verified", verified);
    bool primary = false;
    params.flag("primary", primary);
    if (primary && !verified) params.complain("primary", "must be verified first");
    if (params.error()) return std::unexpected(*params.error());
    if (call.body.empty()) return email_to_json(email);
    if (verified) {
        email.standing = Standing::verified;
    } else if (email.standing == Standing::verified) {
        email.standing = Standing::unverified;
        email.strategy = "admin";
    }
    email.updated_at = clerk.now();
    if (verified && (primary || !user->primary_email_address_id)) {
        user->primary_email_address_id = email.id;
    }
    return saved_email(clerk, std::move(*user), call.id, call);
}

ClerkReply delete_email(ClerkInstance& clerk, const ApiCall& call) {
    auto user = owner_of(clerk, call);
    if (!user) return std::unexpected(errors::email_not_found(call.id));
    std::erase_if(user->email_addresses, [&](const auto& one) { return one.id == call.id; });
    if (user->primary_email_address_id == call.id) {
        // The next verified address takes its place; Clerk does not say what happens.
        const auto next =
            std::ranges::find(user->email_addresses, Standing::verified, &Identification::standing);
        user->primary_email_address_id.reset();
        if (next != user->email_addresses.end()) user->primary_email_address_id = next->id;
    }
    clerk.save(std::move(*user), call.origin);
    return json::object{{"object", "email_address"}, {"id", call.id}, {"deleted", true}};
}

}  // namespace rollcall::sim
