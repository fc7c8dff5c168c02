#include "base/ascii.hpp"
#include "sim/clerk_handlers.hpp"
#include "sim/clerk_params.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::sim {

namespace {

constexpr std::size_t password_length_min = 8;

ClerkReply saved(ClerkInstance& clerk, ClerkUser user, const ApiCall& call) {
    const auto conflict = clerk.users.conflict(user);
    if (!conflict.empty()) return std::unexpected(errors::identifier_exists(conflict));
    return to_json(clerk.save(std::move(user), call.origin));
}

ClerkReply no_such_user(const ApiCall& call) {
    return std::unexpected(errors::user_not_found(call.id));
}

bool plausible_phone(std::string_view number) {
    return number.size() >= 8 && number.size() <= 16 && number.front() == '+' &&
           std::ranges::all_of(number.substr(1), [](char c) { return c >= '0' && c <= '9'; });
}

bool plausible(std::string_view kind, std::string_view value) {
    if (kind == "email_address") return plausible_email(value);
    if (kind == "phone_number") return plausible_phone(value);
    return !value.empty();
}

// The identifications of one kind that a new user comes with; the first becomes primary.
std::vector<Identification> read_identifications(Params& params, const std::string& kind,
                                                 ClerkInstance& clerk, std::int64_t at) {
    const auto values = params.texts(kind);
    const auto statuses = params.statuses(kind + "_identification_status", values.size());
    std::vector<Identification> made;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!plausible(kind, values[i])) params.complain(kind, "must be valid: " + values[i]);
        const bool repeated = std::ranges::any_of(made, [&](const Identification& one) {
            return to_lower(one.value) == to_lower(values[i]);
        });
        if (repeated) params.complain(errors::identifier_exists(kind));
        made.push_back(
            {.id = clerk.ids.make("idn_"),
             .value = values[i],
             .standing = statuses[i] == "reserved" ? Standing::reserved : Standing::verified,
             .strategy = "admin",
             .linked_to = {},
             .created_at = at,
             .updated_at = at});
    }
    return made;
}

std::optional<std::string> first_id(const std::vector<Identification>& all) {
    if (all.empty()) return std::nullopt;
    return all.front().id;
}

void read_password(Params& params, ClerkUser& user, std::int64_t at) {
    std::optional<std::string> password;
    bool skip_checks = false;
    params.flag("skip_password_checks", skip_checks);
    params.text("password", password);
    if (password && password->size() < password_length_min && !skip_checks) {
        params.complain(
            {422,
             {{"form_password_length_too_short", "Passwords must be 8 characters or more.",
               "Passwords must be 8 characters or more.", "password"}}});
    }
    if (!password && !params.has("password_digest")) return;
    user.password_enabled = true;
    user.password_last_updated_at = at;
}

// What POST and PATCH have in common.
void read_attributes(Params& params, ClerkUser& user, std::int64_t at) {
    params.text("external_id", user.external_id);
    params.text("first_name", user.first_name);
    params.text("last_name", user.last_name);
    params.text("locale", user.locale);
    params.text("username", user.username);
    params.flag("delete_self_enabled", user.delete_self_enabled);
    params.flag("create_organization_enabled", user.create_organization_enabled);
    params.flag("bypass_client_trust", user.bypass_client_trust);
    params.number("create_organizations_limit", user.create_organizations_limit);
    params.time("legal_accepted_at", user.legal_accepted_at);
    std::optional<std::int64_t> created_at = user.created_at;
    params.time("created_at", created_at);
    user.created_at = *created_at;
    read_password(params, user, at);
    if (params.has("totp_secret")) user.totp_enabled = true;
    if (!params.texts("backup_codes").empty()) user.backup_code_enabled = true;
    if ((user.totp_enabled || user.backup_code_enabled) && !user.mfa_enabled_at) {
        user.mfa_enabled_at = at;
    }
}

void read_metadata(Params& params, ClerkUser& user) {
    params.metadata("public_metadata", user.public_metadata);
    params.metadata("private_metadata", user.private_metadata);
    params.metadata("unsafe_metadata", user.unsafe_metadata);
}

// A primary identification must be one of the user's own, and verified.
void read_primary(Params& params, std::string_view name, const std::vector<Identification>& all,
                  std::optional<std::string>& primary) {
    if (!params.has(name)) return;
    std::optional<std::string> wanted;
    params.text(name, wanted);
    const bool fits = std::ranges::any_of(all, [&](const Identification& one) {
        return one.id == wanted && one.standing == Standing::verified;
    });
    if (fits) {
        primary = wanted;
    } else {
        params.complain(name, "must be a verified identification of the user");
    }
}

ClerkReply set_flag(ClerkInstance& clerk, const ApiCall& call, bool ClerkUser::* flag, bool value) {
    const auto* found = clerk.users.find(call.id);
    if (found == nullptr) return no_such_user(call);
    ClerkUser user = *found;
    user.*flag = value;
    return saved(clerk, std::move(user), call);
}

ClerkReply set_banned(ClerkInstance& clerk, const ApiCall& call, bool banned) {
    constexpr std::size_t users_max = 50;
    Params params(call.body, {"user_ids"});
    const auto ids = params.texts("user_ids");
    if (ids.empty() || ids.size() > users_max) {
        params.complain("user_ids", "must have 1 to 50 items");
    }
    if (params.error()) return std::unexpected(*params.error());
    for (const auto& id : ids) {
        if (clerk.users.find(id) == nullptr) return std::unexpected(errors::user_not_found(id));
    }
    json::array users;
    for (const auto& id : ids) {
        ClerkUser user = *clerk.users.find(id);
        user.banned = banned;
        users.emplace_back(to_json(clerk.save(std::move(user), call.origin)));
    }
    return users;
}

}  // namespace

ClerkReply list_users(ClerkInstance& clerk, const ApiCall& call) {
    auto query = parse_user_query(call.query);
    if (!query) return std::unexpected(query.error());
    if (!query->starting_after.empty()) {
        const auto cursor = clerk.users.cursor(query->starting_after);
        if (cursor == Cursor::unknown ||
            (cursor == Cursor::deleted && clerk.faults.refuses_deleted_cursor())) {
            return std::unexpected(errors::format_invalid(
                "starting_after", "starting_after must be the id of a user"));
        }
    }
    auto page = clerk.users.list(*query);
    if (clerk.faults.strikes(Fault::api_empty_list)) page.clear();
    if (clerk.faults.strikes(Fault::api_short_list)) page.resize(page.size() / 2);
    json::array users;
    users.reserve(page.size());
    for (const auto* user : page) users.emplace_back(to_json(*user));
    return users;
}

ClerkReply count_users(ClerkInstance& clerk, const ApiCall& call) {
    const auto filter = parse_user_filter(call.query);
    if (!filter) return std::unexpected(filter.error());
    auto count = clerk.users.count(*filter);
    if (clerk.faults.strikes(Fault::api_wrong_count)) {
        // Anything up to twice as much, but never right.
        const auto wrong = static_cast<std::size_t>(
            clerk.faults.random().between(0, static_cast<std::int64_t>(count) * 2));
        count = wrong == count ? count + 1 : wrong;
    }
    return json::object{{"object", "total_count"}, {"total_count", count}};
}

ClerkReply get_user(ClerkInstance& clerk, const ApiCall& call) {
    const auto* user = clerk.users.find(call.id);
    if (user == nullptr || clerk.faults.strikes(Fault::api_404)) return no_such_user(call);
    return to_json(*user);
}

ClerkReply create_user(ClerkInstance& clerk, const ApiCall& call) {
    Params params(call.body, {"external_id",
                              "first_name",
                              "last_name",
                              "locale",
                              "email_address",
                              "email_address_identification_status",
                              "phone_number",
                              "phone_number_identification_status",
                              "web3_wallet",
                              "username",
                              "password",
                              "password_digest",
                              "password_hasher",
                              "skip_password_checks",
                              "skip_password_requirement",
                              "totp_secret",
                              "backup_codes",
                              "public_metadata",
                              "private_metadata",
                              "unsafe_metadata",
                              "delete_self_enabled",
                              "legal_accepted_at",
                              "skip_legal_checks",
                              "skip_user_requirement",
                              "create_organization_enabled",
                              "create_organizations_limit",
                              "created_at",
                              "bypass_client_trust",
                              "banned",
                              "locked"});
    const auto at = clerk.now();
    ClerkUser user;
    user.created_at = at;
    user.updated_at = at;
    read_attributes(params, user, at);
    read_metadata(params, user);
    params.flag("banned", user.banned);
    params.flag("locked", user.locked);
    user.email_addresses = read_identifications(params, "email_address", clerk, at);
    user.phone_numbers = read_identifications(params, "phone_number", clerk, at);
    user.web3_wallets = read_identifications(params, "web3_wallet", clerk, at);
    user.primary_email_address_id = first_id(user.email_addresses);
    user.primary_phone_number_id = first_id(user.phone_numbers);
    user.primary_web3_wallet_id = first_id(user.web3_wallets);
    if (params.error()) return std::unexpected(*params.error());
    user.id = clerk.ids.make("user_");
    return saved(clerk, std::move(user), call);
}

ClerkReply update_user(ClerkInstance& clerk, const ApiCall& call) {
    const auto* found = clerk.users.find(call.id);
    if (found == nullptr) return no_such_user(call);
    ClerkUser user = *found;
    json::object body = call.body;
    json::object metadata;
    if (call.metadata_in_patch) {
        for (const auto* name : {"public_metadata", "private_metadata", "unsafe_metadata"}) {
            if (const auto* value = body.if_contains(name)) metadata[name] = *value;
            body.erase(name);
        }
    }
    Params params(body, {"external_id",
                         "first_name",
                         "last_name",
                         "locale",
                         "primary_email_address_id",
                         "notify_primary_email_address_changed",
                         "primary_phone_number_id",
                         "primary_web3_wallet_id",
                         "username",
                         "profile_image_id",
                         "password",
                         "password_digest",
                         "password_hasher",
                         "skip_password_checks",
                         "sign_out_of_other_sessions",
                         "totp_secret",
                         "backup_codes",
                         "delete_self_enabled",
                         "create_organization_enabled",
                         "legal_accepted_at",
                         "skip_legal_checks",
                         "create_organizations_limit",
                         "created_at",
                         "bypass_client_trust"});
    read_attributes(params, user, clerk.now());
    read_primary(params, "primary_email_address_id", user.email_addresses,
                 user.primary_email_address_id);
    read_primary(params, "primary_phone_number_id", user.phone_numbers,
                 user.primary_phone_number_id);
    read_primary(params, "primary_web3_wallet_id", user.web3_wallets, user.primary_web3_wallet_id);
    Params metadata_params(metadata, {"public_metadata", "private_metadata", "unsafe_metadata"});
    read_metadata(metadata_params, user);
    if (metadata_params.error()) params.complain(*metadata_params.error());
    if (params.error()) return std::unexpected(*params.error());
    if (call.body.empty()) return to_json(user);
    return saved(clerk, std::move(user), call);
}

ClerkReply delete_user(ClerkInstance& clerk, const ApiCall& call) {
    const auto* user = clerk.users.find(call.id);
    if (user == nullptr) return no_such_user(call);
    auto answer = deleted_to_json(*user);
    clerk.remove(call.id, call.origin);
    return answer;
}

ClerkReply merge_metadata(ClerkInstance& clerk, const ApiCall& call) {
    const auto* found = clerk.users.find(call.id);
    if (found == nullptr) return no_such_user(call);
    ClerkUser user = *found;
    Params params(call.body, {"public_metadata", "private_metadata", "unsafe_metadata"});
    params.merge_metadata("public_metadata", user.public_metadata);
    params.merge_metadata("private_metadata", user.private_metadata);
    params.merge_metadata("unsafe_metadata", user.unsafe_metadata);
    if (params.error()) return std::unexpected(*params.error());
    if (call.body.empty()) return to_json(user);
    return saved(clerk, std::move(user), call);
}

ClerkReply replace_metadata(ClerkInstance& clerk, const ApiCall& call) {
    const auto* found = clerk.users.find(call.id);
    if (found == nullptr) return no_such_user(call);
    ClerkUser user = *found;
    Params params(call.body, {"public_metadata", "private_metadata", "unsafe_metadata"});
    read_metadata(params, user);
    if (params.error()) return std::unexpected(*params.error());
    if (call.body.empty()) return to_json(user);
    return saved(clerk, std::move(user), call);
}

ClerkReply ban_user(ClerkInstance& clerk, const ApiCall& call) {
    return set_flag(clerk, call, &ClerkUser::banned, true);
}

ClerkReply unban_user(ClerkInstance& clerk, const ApiCall& call) {
    return set_flag(clerk, call, &ClerkUser::banned, false);
}

ClerkReply lock_user(ClerkInstance& clerk, const ApiCall& call) {
    return set_flag(clerk, call, &ClerkUser::locked, true);
}

ClerkReply unlock_user(ClerkInstance& clerk, const ApiCall& call) {
    return set_flag(clerk, call, &ClerkUser::locked, false);
}

ClerkReply ban_users(ClerkInstance& clerk, const ApiCall& call) {
    return set_banned(clerk, call, true);
}

ClerkReply unban_users(ClerkInstance& clerk, const ApiCall& call) {
    return set_banned(clerk, call, false);
}

}  // namespace rollcall::sim
