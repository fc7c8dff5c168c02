#include "sim/clerk_user_filter.hpp"

#include "base/ascii.hpp"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

namespace rollcall::sim {

namespace {

using Texts = std::vector<std::string>;
using Identifications = std::vector<Identification>;

bool contains(const Texts& values, std::string_view value) {
    return std::ranges::find(values, value) != values.end();
}

bool contains_folded(const Texts& values, std::string_view value) {
    const auto wanted = to_lower(value);
    return std::ranges::any_of(values, [&](const auto& one) { return to_lower(one) == wanted; });
}

bool signed_match(const SignedValues& values, std::string_view value) {
    if (!values.included.empty() && !contains(values.included, value)) return false;
    return !contains(values.excluded, value);
}

bool any_of_values(const Texts& wanted, const Identifications& held) {
    if (wanted.empty()) return true;
    return std::ranges::any_of(
        held, [&](const Identification& one) { return contains_folded(wanted, one.value); });
}

bool part_of(std::string_view part, std::string_view whole) {
    return to_lower(whole).contains(to_lower(part));
}

bool part_of_any(std::string_view part, const Identifications& held) {
    return std::ranges::any_of(held,
                               [&](const Identification& one) { return part_of(part, one.value); });
}

std::string full_name(const ClerkUser& user) {
    return user.first_name.value_or("") + " " + user.last_name.value_or("");
}

bool within(const TimeRange& range, const std::optional<std::int64_t>& at) {
    if (range.after && (!at || *at <= *range.after)) return false;
    return !range.before || (at && *at < *range.before);
}

bool exact_match(const ClerkUser& user, const UserFilter& filter) {
    if (!signed_match(filter.user_id, user.id)) return false;
    if (!signed_match(filter.external_id, user.external_id.value_or(""))) return false;
    if (!filter.organization_id.included.empty()) return false;
    if (!any_of_values(filter.email_address, user.email_addresses)) return false;
    if (!any_of_values(filter.phone_number, user.phone_numbers)) return false;
    if (!any_of_values(filter.web3_wallet, user.web3_wallets)) return false;
    if (!filter.username.empty() &&
        !(user.username && contains_folded(filter.username, *user.username))) {
        return false;
    }
    if (filter.provider.empty()) return true;
    return std::ranges::any_of(user.external_accounts, [&](const json::value& account) {
        const auto& members = account.as_object();
        return members.at("provider").as_string() == filter.provider &&
               contains(filter.provider_user_id, members.at("provider_user_id").as_string());
    });
}

bool partial_match(const ClerkUser& user, const UserFilter& filter) {
    if (!filter.email_address_query.empty() &&
        !part_of_any(filter.email_address_query, user.email_addresses)) {
        return false;
    }
    if (!filter.phone_number_query.empty() &&
        !part_of_any(filter.phone_number_query, user.phone_numbers)) {
        return false;
    }
    if (!filter.username_query.empty() &&
        !part_of(filter.username_query, user.username.value_or(""))) {
        return false;
    }
    if (!filter.name_query.empty() && !part_of(filter.name_query, full_name(user))) return false;
    if (filter.query.empty()) return true;
    return part_of_any(filter.query, user.email_addresses) ||
           part_of_any(filter.query, user.phone_numbers) ||
           part_of_any(filter.query, user.web3_wallets) || part_of(filter.query, user.id) ||
           part_of(filter.query, user.username.value_or("")) ||
           part_of(filter.query, full_name(user));
}

// Sorts as (is missing, text, number), so that one comparison does for every field.
using SortKey = std::tuple<bool, std::string, std::int64_t>;

SortKey text_key(const std::optional<std::string>& text) {
    return {!text, to_lower(text.value_or("")), 0};
}

SortKey time_key(const std::optional<std::int64_t>& at) {
    return {!at, "", at.value_or(0)};
}

SortKey identification_key(const Identifications& held, const std::optional<std::string>& primary) {
    for (const auto& one : held) {
        if (one.id == primary) return {false, to_lower(one.value), 0};
    }
    return {true, "", 0};
}

SortKey sort_key(const ClerkUser& user, UserOrder order) {
    switch (order) {
        case UserOrder::created_at:
            return time_key(user.created_at);
        case UserOrder::updated_at:
            return time_key(user.updated_at);
        case UserOrder::email_address:
            return identification_key(user.email_addresses, user.primary_email_address_id);
        case UserOrder::web3wallet:
            return identification_key(user.web3_wallets, user.primary_web3_wallet_id);
        case UserOrder::phone_number:
            return identification_key(user.phone_numbers, user.primary_phone_number_id);
        case UserOrder::first_name:
            return text_key(user.first_name);
        case UserOrder::last_name:
            return text_key(user.last_name);
        case UserOrder::username:
            return text_key(user.username);
        case UserOrder::last_active_at:
            return time_key(user.last_active_at);
        case UserOrder::last_sign_in_at:
            return time_key(user.last_sign_in_at);
    }
    return {};
}

bool no_range(const TimeRange& range) {
    return !range.after && !range.before;
}

bool no_values(const SignedValues& values) {
    return values.included.empty() && values.excluded.empty();
}

}  // namespace

bool matches(const ClerkUser& user, const UserFilter& filter) {
    if (matches_all(filter)) return true;
    if (filter.banned && *filter.banned != user.banned) return false;
    if (!within(filter.created_at, user.created_at)) return false;
    if (!within(filter.last_active_at, user.last_active_at)) return false;
    if (!within(filter.last_sign_in_at, user.last_sign_in_at)) return false;
    return exact_match(user, filter) && partial_match(user, filter);
}

bool matches_all(const UserFilter& filter) {
    return !filter.banned && no_range(filter.created_at) && no_range(filter.last_active_at) &&
           no_range(filter.last_sign_in_at) && no_values(filter.user_id) &&
           no_values(filter.external_id) && no_values(filter.organization_id) &&
           filter.email_address.empty() && filter.phone_number.empty() && filter.username.empty() &&
           filter.web3_wallet.empty() && filter.provider.empty() && filter.query.empty() &&
           filter.email_address_query.empty() && filter.phone_number_query.empty() &&
           filter.username_query.empty() && filter.name_query.empty();
}

void sort_users(std::vector<const ClerkUser*>& users, UserOrder order, bool descending) {
    std::vector<std::pair<SortKey, const ClerkUser*>> keyed;
    keyed.reserve(users.size());
    for (const auto* user : users) keyed.emplace_back(sort_key(*user, order), user);
    std::ranges::sort(keyed, [descending](const auto& a, const auto& b) {
        if (a.first != b.first) return descending ? b.first < a.first : a.first < b.first;
        return descending ? b.second->serial < a.second->serial
                          : a.second->serial < b.second->serial;
    });
    std::ranges::transform(keyed, users.begin(), [](const auto& entry) { return entry.second; });
}

}  // namespace rollcall::sim
