// A user of the simulated Clerk, and its JSON as the Backend API and the webhooks carry it (Clerk
// OpenAPI 2026-05-12, "User"). Values: copied, edited and put back into the store. Times are unix
// milliseconds, as in Clerk's resources.
#pragma once

#include "base/result.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::sim {

namespace json = boost::json;

// How an e-mail address, phone number or wallet came to be trusted. A reserved one is unverified
// but nobody else can claim it.
enum class Standing : std::uint8_t { verified, reserved, unverified };

// An e-mail address, a phone number or a web3 wallet of a user.
struct Identification {
    std::string id;     // idn_…
    std::string value;  // as it was given; compared without regard to case
    Standing standing = Standing::verified;
    std::string strategy = "admin";  // of the verification
    json::array linked_to;           // [{type, id}] of the accounts that brought it
    std::int64_t created_at = 0;
    std::int64_t updated_at = 0;
};

struct ClerkUser {
    std::string id;            // user_…
    std::uint64_t serial = 0;  // order of arrival in the store, which sets it; settles ties
    std::optional<std::string> external_id;
    std::optional<std::string> username;
    std::optional<std::string> first_name;
    std::optional<std::string> last_name;
    std::optional<std::string> locale;
    std::optional<std::string> primary_email_address_id;
    std::optional<std::string> primary_phone_number_id;
    std::optional<std::string> primary_web3_wallet_id;
    std::vector<Identification> email_addresses;
    std::vector<Identification> phone_numbers;
    std::vector<Identification> web3_wallets;
    json::array external_accounts;
    json::value public_metadata = json::object();  // objects, but a null can be stored over them
    json::value private_metadata = json::object();
    json::value unsafe_metadata = json::object();
    bool password_enabled = false;
    bool totp_enabled = false;
    bool backup_code_enabled = false;
    bool banned = false;
    bool locked = false;
    bool delete_self_enabled = true;
    bool create_organization_enabled = true;
    bool bypass_client_trust = false;
    std::optional<std::int64_t> create_organizations_limit;
    std::optional<std::int64_t> password_last_updated_at;
    std::optional<std::int64_t> last_sign_in_at;
    std::optional<std::int64_t> last_active_at;
    std::optional<std::int64_t> mfa_enabled_at;
    std::optional<std::int64_t> legal_accepted_at;
    std::int64_t created_at = 0;
    std::int64_t updated_at = 0;
};

[[nodiscard]] json::object to_json(const ClerkUser& user);
[[nodiscard]] json::object email_to_json(const Identification& email);
// {"object":"user","id","deleted":true} and external_id where there is one: the answer to DELETE
// and the data of user.deleted.
[[nodiscard]] json::object deleted_to_json(const ClerkUser& user);

// The reverse of to_json, for the state file; invalid_input names the member that is not as
// to_json writes it.
[[nodiscard]] Result<ClerkUser> user_from_json(const json::value& value);

// Lower case of ASCII letters: how identifications and partial matches are compared.

}  // namespace rollcall::sim
