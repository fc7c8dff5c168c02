#include "sim/clerk_people.hpp"

#include "base/ascii.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace rollcall::sim {

namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Shape::count)> shape_names{
    "typical",          "oauth",      "second_primary", "unverified_email", "primary_gone",
    "mixed_case_email", "phone_only", "username_only",  "unicode_name",
};

constexpr std::array<std::string_view, 20> first_names{
    "Ada",   "Boris", "Chen", "Dalia", "Emil",  "Fatma", "Grace", "Hugo", "Ines",  "Jonas",
    "Keiko", "Liam",  "Mira", "Noor",  "Oscar", "Petra", "Quinn", "Rosa", "Samir", "Tove"};

constexpr std::array<std::string_view, 20> last_names{
    "Abel",   "Bakker",  "Costa",   "Duarte", "Eriksen", "Fischer", "Garcia",
    "Haddad", "Ito",     "Jansen",  "Kowal",  "Lind",    "Moreau",  "Novak",
    "Okafor", "Pereira", "Quiroga", "Rossi",  "Silva",   "Tanaka"};

Identification identification(IdMaker& ids, std::string value, std::string_view strategy,
                              std::int64_t at) {
    return {.id = ids.make("idn_"),
            .value = std::move(value),
            .standing = Standing::verified,
            .strategy = std::string(strategy),
            .linked_to = {},
            .created_at = at,
            .updated_at = at};
}

void add_google(ClerkUser& user, std::uint64_t number, IdMaker& ids) {
    auto& email = user.email_addresses.front();
    const auto account = ids.make("idn_");
    email.strategy = "from_oauth_google";
    email.linked_to = {json::object{{"type", "oauth_google"}, {"id", account}}};
    user.password_enabled = false;
    user.external_accounts.emplace_back(
        json::object{{"object", "google_account"},
                     {"id", account},
                     {"provider", "oauth_google"},
                     {"identification_id", account},
                     {"external_account_id", ids.make("eac_")},
                     {"provider_user_id", std::to_string(100'000'000 + number)},
                     {"approved_scopes", "email openid profile"},
                     {"email_address", email.value},
                     {"email_address_verified", true},
                     {"first_name", *user.first_name},
                     {"last_name", *user.last_name},
                     {"image_url", ""},
                     {"username", nullptr},
                     {"phone_number", nullptr},
                     {"public_metadata", json::object()},
                     {"label", nullptr},
                     {"created_at", user.created_at},
                     {"updated_at", user.created_at},
                     {"verification", json::object{{"object", "verification_oauth"},
                                                   {"status", "verified"},
                                                   {"strategy", "oauth_google"},
                                                   {"attempts", nullptr},
                                                   {"expire_at", user.created_at + 600'000}}}});
}

void drop_email(ClerkUser& user) {
    user.email_addresses.clear();
    user.primary_email_address_id.reset();
    user.first_name.reset();
    user.last_name.reset();
}

void shape_into(ClerkUser& user, Shape shape, std::uint64_t number, IdMaker& ids) {
    const auto tail = std::to_string(number);
    auto& emails = user.email_addresses;
    switch (shape) {
        case Shape::typical:
        case Shape::count:
            break;
        case Shape::oauth:
            add_google(user, number, ids);
            break;
        case Shape::second_primary:
            emails.insert(emails.begin(), identification(ids, "old" + tail + "@example.org",
                                                         "email_code", user.created_at));
            break;
        case Shape::unverified_email:
            emails.front().standing = Standing::unverified;
            user.primary_email_address_id.reset();
            break;
        case Shape::primary_gone:
            user.primary_email_address_id = ids.make("idn_");
            break;
        case Shape::mixed_case_email:
            emails.front().value = *user.first_name + "." + *user.last_name + tail + "@Example.COM";
            break;
        case Shape::phone_only: {
            drop_email(user);
            const auto digits = std::to_string(10'000'000 + number % 90'000'000);
            user.phone_numbers.push_back(
                identification(ids, "+1555" + digits, "phone_code", user.created_at));
            user.primary_phone_number_id = user.phone_numbers.front().id;
            user.password_enabled = false;
            break;
        }
        case Shape::username_only:
            user.username = to_lower(*user.first_name) + "_" + tail;
            drop_email(user);
            break;
        case Shape::unicode_name:
            user.first_name = "Zoë";
            user.last_name = "Ångström 山田";
            user.public_metadata = json::object{{"greeting", "こんにちは"}, {"emoji", "🙂"}};
            user.private_metadata = json::object{{"note", "ünïcode"}, {"plan", {{"seats", 3}}}};
            break;
    }
}

}  // namespace

Result<Shape> parse_shape(std::string_view name) {
    const auto found = std::ranges::find(shape_names, name);
    if (found != shape_names.end()) return static_cast<Shape>(found - shape_names.begin());
    std::string known;
    for (const auto& one : shape_names) known.append(known.empty() ? "" : ", ").append(one);
    return fail(ErrorCode::invalid_input,
                "shape " + std::string(name) + " is not one of " + known + " or mixed");
}

ClerkUser make_person(Shape shape, std::uint64_t number, std::int64_t created_at, IdMaker& ids) {
    ClerkUser user;
    user.id = ids.make("user_");
    user.first_name = first_names.at(number % first_names.size());
    user.last_name = last_names.at((number / first_names.size()) % last_names.size());
    user.created_at = created_at;
    user.updated_at = created_at;
    user.password_enabled = true;
    user.password_last_updated_at = created_at;
    user.last_sign_in_at = created_at;
    constexpr std::int64_t day = 86'400'000;
    user.last_active_at = created_at / day * day;  // Clerk keeps it by the day
    user.email_addresses.push_back(
        identification(ids,
                       to_lower(*user.first_name + "." + *user.last_name) + std::to_string(number) +
                           "@example.com",
                       "email_code", created_at));
    user.primary_email_address_id = user.email_addresses.front().id;
    shape_into(user, shape, number, ids);
    return user;
}

}  // namespace rollcall::sim
