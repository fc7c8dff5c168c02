// The users of the simulated Clerk, in memory. Indexed so that a cursor page costs the same
// anywhere in 100,000 users. Pure: knows nothing of HTTP, time or chance. The store assigns
// `serial` and keeps what must be unique in Clerk unique; everything else about a user is the
// caller's.
#pragma once

#include "sim/clerk_user.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rollcall::sim {

// Values with `+` (or nothing) and with `-` before them, as Clerk's signed filters have them.
struct SignedValues {
    std::vector<std::string> included;
    std::vector<std::string> excluded;
};

// Strictly between the two, where given.
struct TimeRange {
    std::optional<std::int64_t> after;
    std::optional<std::int64_t> before;
};

// All that is given must match; several values of one kind are alternatives.
struct UserFilter {
    SignedValues user_id;
    SignedValues external_id;
    SignedValues organization_id;  // no user is a member of one
    std::vector<std::string> email_address;
    std::vector<std::string> phone_number;
    std::vector<std::string> username;
    std::vector<std::string> web3_wallet;
    std::string provider;
    std::vector<std::string> provider_user_id;
    std::string query;
    std::string email_address_query;
    std::string phone_number_query;
    std::string username_query;
    std::string name_query;
    std::optional<bool> banned;
    TimeRange created_at;
    TimeRange last_active_at;
    TimeRange last_sign_in_at;
};

enum class UserOrder : std::uint8_t {
    created_at,
    updated_at,
    email_address,
    web3wallet,
    first_name,
    last_name,
    phone_number,
    username,
    last_active_at,
    last_sign_in_at,
};

struct UserQuery {
    UserFilter filter;
    UserOrder order = UserOrder::created_at;
    bool descending = true;
    std::size_t limit = 10;
    std::size_t offset = 0;
    std::string starting_after;  // only with created_at
};

enum class Cursor : std::uint8_t { live, deleted, unknown };

class ClerkStore {
public:
    // Positions of this many deleted users are kept, so that a cursor on one can continue.
    static constexpr std::size_t tombstones_max = 100'000;

    [[nodiscard]] std::size_t size() const { return users_.size(); }
    [[nodiscard]] const ClerkUser* find(std::string_view id) const;
    // The user who has this e-mail address, phone number or wallet, by its idn_ id.
    [[nodiscard]] const ClerkUser* find_by_identification(std::string_view id) const;

    // What of `user` another user already holds: email_address, phone_number, web3_wallet, username
    // or external_id; "" when nothing is in the way. Unverified addresses are not held.
    [[nodiscard]] std::string_view conflict(const ClerkUser& user) const;

    // Adds the user, or replaces the one with its id. A conflict is a bug of the caller's. The
    // reference is good until the user is put or erased again.
    const ClerkUser& put(ClerkUser user);
    bool erase(std::string_view id);
    void clear();

    [[nodiscard]] Cursor cursor(std::string_view id) const;
    // A cursor that is not known lists nothing; ask cursor() before.
    [[nodiscard]] std::vector<const ClerkUser*> list(const UserQuery& query) const;
    [[nodiscard]] std::size_t count(const UserFilter& filter) const;

    // In order of arrival.
    void for_each(const std::function<void(const ClerkUser&)>& visit) const;

private:
    struct Place {
        std::int64_t at;
        std::uint64_t serial;
        friend auto operator<=>(const Place&, const Place&) = default;
    };
    using Line = std::map<Place, const ClerkUser*>;
    using Holders = std::unordered_map<std::string, std::set<std::uint64_t>>;
    using IdentificationsOf = std::vector<Identification> ClerkUser::*;

    void index(const ClerkUser& user);
    void unindex(const ClerkUser& user);
    [[nodiscard]] std::optional<std::vector<const ClerkUser*>> candidates(
        const UserFilter& filter) const;
    void collect(const Holders& holders, const std::vector<std::string>& keys,
                 std::vector<const ClerkUser*>& found) const;
    [[nodiscard]] bool held_by_other(const Holders& holders, const std::string& key,
                                     const ClerkUser& user, IdentificationsOf kind) const;
    [[nodiscard]] std::optional<Place> place_of(std::string_view id) const;

    std::unordered_map<std::string, std::unique_ptr<ClerkUser>> users_;
    std::map<std::uint64_t, const ClerkUser*> by_serial_;
    Line by_created_at_;
    Line by_updated_at_;
    // Value to the serials of its users; folded, but for external ids. Several only where an
    // address is not verified.
    Holders emails_;
    Holders phones_;
    Holders wallets_;
    Holders usernames_;
    Holders external_ids_;
    std::unordered_map<std::string, std::uint64_t> identifications_;
    std::unordered_map<std::string, Place> tombstones_;
    std::deque<std::string> tombstone_order_;
    std::uint64_t next_serial_ = 1;
};

}  // namespace rollcall::sim
