#include "clerk/user.hpp"

#include "base/json_document.hpp"
#include "clerk/user_json.hpp"

#include <algorithm>
#include <array>

namespace rollcall::clerk {
namespace {

// No PostgreSQL text can hold U+0000.
std::string without_nul(std::string_view text) {
    std::string kept(text);
    std::erase(kept, '\0');
    return kept;
}

std::optional<std::string> text_of(std::string_view text) {
    std::string kept = without_nul(text);
    if (kept.empty()) return std::nullopt;
    return kept;
}

// Longer ones no mail system takes, and no index of PostgreSQL (at most 2,704 bytes a row) either.
constexpr std::size_t email_bytes_max = 1000;

// What ECMAScript's trim() takes away: Clerk's own pages trim by it.
constexpr std::array<std::string_view, 25> spaces{
    " ",      "\t",     "\n",     "\v",     "\f",     "\r",     "\u00A0", "\u1680", "\u2000",
    "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009",
    "\u200A", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000", "\uFEFF"};

std::string_view trim(std::string_view text) {
    const auto* found = spaces.end();
    const auto starts = [&](std::string_view space) { return text.starts_with(space); };
    const auto ends = [&](std::string_view space) { return text.ends_with(space); };
    while ((found = std::ranges::find_if(spaces, starts)) != spaces.end()) {
        text.remove_prefix(found->size());
    }
    while ((found = std::ranges::find_if(spaces, ends)) != spaces.end()) {
        text.remove_suffix(found->size());
    }
    return text;
}

std::optional<std::string> full_name(std::string_view first, std::string_view last) {
    const std::string first_kept = without_nul(first);
    const std::string last_kept = without_nul(last);
    std::string name(trim(first_kept));
    const std::string_view rest = trim(last_kept);
    if (!name.empty() && !rest.empty()) name += ' ';
    name += rest;
    if (name.empty()) return std::nullopt;
    return name;
}

// Of a member that comes twice the last one, as everywhere.
std::optional<std::string_view> text_member(const simdjson::dom::element& value,
                                            std::string_view name) {
    simdjson::dom::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
    std::optional<std::string_view> text;
    for (const auto& [key, member] : object) {
        if (key == name) text = as_string(member);
    }
    return text;
}

struct EmailAddress {
    std::string_view id;
    std::string_view address;
    bool verified = false;
};

EmailAddress read_email(const simdjson::dom::object& object) {
    EmailAddress email;
    for (const auto& [key, value] : object) {
        if (key == "id") {
            email.id = as_string(value).value_or("");
        } else if (key == "email_address") {
            email.address = as_string(value).value_or("");
        } else if (key == "verification") {
            email.verified = text_member(value, "status") == "verified";
        }
    }
    return email;
}

// The one that `primary_email_address_id` names; never "the first".
void take_email(User& user, const simdjson::dom::element& list, std::string_view primary) {
    simdjson::dom::array addresses;
    if (primary.empty() || list.get_array().get(addresses) != simdjson::SUCCESS) return;
    for (const simdjson::dom::element item : addresses) {
        simdjson::dom::object object;
        if (item.get_object().get(object) != simdjson::SUCCESS) continue;
        const EmailAddress email = read_email(object);
        if (email.id != primary) continue;
        if (email.address.size() <= email_bytes_max) user.email = text_of(email.address);
        user.email_verified = user.email && email.verified;
        return;
    }
}

// The number that `primary_phone_number_id` names.
std::optional<std::string> phone_in(const simdjson::dom::element& list, std::string_view primary) {
    simdjson::dom::array numbers;
    if (primary.empty() || list.get_array().get(numbers) != simdjson::SUCCESS) return std::nullopt;
    for (const simdjson::dom::element item : numbers) {
        if (text_member(item, "id") != primary) continue;
        return text_of(text_member(item, "phone_number").value_or(""));
    }
    return std::nullopt;
}

std::optional<std::string> role_in(const simdjson::dom::element& metadata) {
    const auto role = text_member(metadata, "role");
    return role ? text_of(*role) : std::nullopt;
}

}  // namespace

bool usable_id(std::string_view id) {
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    return !id.empty() && id != "NULL" && id.size() <= id_bytes_max &&
           std::ranges::none_of(id, control);
}

std::optional<User> read_user(const simdjson::dom::object& object) {
    User user;
    std::string_view id;
    std::string_view first;
    std::string_view last;
    std::string_view primary;
    std::string_view primary_phone;
    std::optional<simdjson::dom::element> emails;
    std::optional<simdjson::dom::element> phones;
    for (const auto& [key, value] : object) {
        if (key == "id") {
            id = as_string(value).value_or("");
        } else if (key == "first_name") {
            first = as_string(value).value_or("");
        } else if (key == "last_name") {
            last = as_string(value).value_or("");
        } else if (key == "primary_email_address_id") {
            primary = as_string(value).value_or("");
        } else if (key == "email_addresses") {
            emails = value;
        } else if (key == "primary_phone_number_id") {
            primary_phone = as_string(value).value_or("");
        } else if (key == "phone_numbers") {
            phones = value;
        } else if (key == "public_metadata") {
            user.role = role_in(value);
        } else if (key == "external_id") {
            user.external_id = text_of(as_string(value).value_or(""));
        } else if (key == "banned") {
            user.banned = as_flag(value);
        } else if (key == "locked") {
            user.locked = as_flag(value);
        } else if (key == "created_at") {
            user.created_at_ms = as_time(value);
        } else if (key == "updated_at") {
            user.updated_at_ms = as_time(value);
        }
    }
    if (!usable_id(id)) return std::nullopt;
    user.id = id;
    user.name = full_name(first, last);
    if (emails) take_email(user, *emails, primary);
    if (phones) user.phone = phone_in(*phones, primary_phone);
    return user;
}

Result<User> parse_user(std::string_view json) {
    JsonDocument document;
    const auto root = document.parse(json);
    simdjson::dom::object object;
    if (!root || root->get_object().get(object) != simdjson::SUCCESS) {
        return fail(ErrorCode::invalid_input, "not a JSON object");
    }
    auto user = read_user(object);
    if (!user) return fail(ErrorCode::invalid_input, "a User object without a usable id");
    return *std::move(user);
}

}  // namespace rollcall::clerk
