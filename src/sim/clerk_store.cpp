#include "sim/clerk_store.hpp"

#include "base/ascii.hpp"
#include "base/result.hpp"
#include "sim/clerk_user_filter.hpp"

#include <algorithm>
#include <ranges>

namespace rollcall::sim {

namespace {

std::vector<std::string> folded_all(std::vector<std::string> values) {
    for (auto& value : values) value = to_lower(value);
    return values;
}

// Puts the part [offset, offset + limit) of what matches into `page`.
class PageTaker {
public:
    PageTaker(const UserQuery& query, std::vector<const ClerkUser*>& page)
        : query_(query), skip_(query.offset), page_(page) {
        page_.reserve(std::min<std::size_t>(query.limit, 512));
    }

    // Returns false when the page is full.
    bool offer(const ClerkUser& user) {
        if (page_.size() >= query_.limit) return false;
        if (!matches(user, query_.filter)) return true;
        if (skip_ > 0) {
            --skip_;
            return true;
        }
        page_.push_back(&user);
        return page_.size() < query_.limit;
    }

private:
    const UserQuery& query_;
    std::size_t skip_;
    std::vector<const ClerkUser*>& page_;
};

}  // namespace

const ClerkUser* ClerkStore::find(std::string_view id) const {
    const auto found = users_.find(std::string(id));
    return found == users_.end() ? nullptr : found->second.get();
}

const ClerkUser* ClerkStore::find_by_identification(std::string_view id) const {
    const auto found = identifications_.find(std::string(id));
    if (found == identifications_.end()) return nullptr;
    return by_serial_.at(found->second);
}

bool ClerkStore::held_by_other(const Holders& holders, const std::string& key,
                               const ClerkUser& user, IdentificationsOf kind) const {
    const auto found = holders.find(key);
    if (found == holders.end()) return false;
    return std::ranges::any_of(found->second, [&](std::uint64_t serial) {
        const ClerkUser& other = *by_serial_.at(serial);
        if (other.id == user.id) return false;
        if (kind == nullptr) return true;
        return std::ranges::any_of(other.*kind, [&](const Identification& one) {
            return one.standing != Standing::unverified && to_lower(one.value) == key;
        });
    });
}

std::string_view ClerkStore::conflict(const ClerkUser& user) const {
    const auto any_held = [&](const Holders& holders, IdentificationsOf kind) {
        return std::ranges::any_of(user.*kind, [&](const Identification& one) {
            return held_by_other(holders, to_lower(one.value), user, kind);
        });
    };
    if (any_held(emails_, &ClerkUser::email_addresses)) return "email_address";
    if (any_held(phones_, &ClerkUser::phone_numbers)) return "phone_number";
    if (any_held(wallets_, &ClerkUser::web3_wallets)) return "web3_wallet";
    if (user.username && held_by_other(usernames_, to_lower(*user.username), user, nullptr)) {
        return "username";
    }
    if (user.external_id && held_by_other(external_ids_, *user.external_id, user, nullptr)) {
        return "external_id";
    }
    return "";
}

const ClerkUser& ClerkStore::put(ClerkUser user) {
    ensure(!user.id.empty(), "a user needs an id");
    ensure(conflict(user).empty(), "a user that conflicts with another was put into the store");
    auto& slot = users_[user.id];
    if (slot) {
        unindex(*slot);
        user.serial = slot->serial;
        *slot = std::move(user);
    } else {
        user.serial = next_serial_++;
        slot = std::make_unique<ClerkUser>(std::move(user));
    }
    index(*slot);
    return *slot;
}

bool ClerkStore::erase(std::string_view id) {
    const auto found = users_.find(std::string(id));
    if (found == users_.end()) return false;
    const ClerkUser& user = *found->second;
    unindex(user);
    tombstones_[user.id] = {user.created_at, user.serial};
    tombstone_order_.push_back(user.id);
    if (tombstone_order_.size() > tombstones_max) {
        tombstones_.erase(tombstone_order_.front());
        tombstone_order_.pop_front();
    }
    users_.erase(found);
    return true;
}

void ClerkStore::clear() {
    const auto serial = next_serial_;
    *this = ClerkStore();
    next_serial_ = serial;
}

void ClerkStore::index(const ClerkUser& user) {
    by_serial_[user.serial] = &user;
    by_created_at_[{user.created_at, user.serial}] = &user;
    by_updated_at_[{user.updated_at, user.serial}] = &user;
    const auto add = [&](Holders& holders, const std::vector<Identification>& all) {
        for (const auto& one : all) {
            holders[to_lower(one.value)].insert(user.serial);
            identifications_[one.id] = user.serial;
        }
    };
    add(emails_, user.email_addresses);
    add(phones_, user.phone_numbers);
    add(wallets_, user.web3_wallets);
    if (user.username) usernames_[to_lower(*user.username)].insert(user.serial);
    if (user.external_id) external_ids_[*user.external_id].insert(user.serial);
}

void ClerkStore::unindex(const ClerkUser& user) {
    by_serial_.erase(user.serial);
    by_created_at_.erase({user.created_at, user.serial});
    by_updated_at_.erase({user.updated_at, user.serial});
    const auto remove = [&](Holders& holders, const std::string& key) {
        const auto found = holders.find(key);
        if (found == holders.end()) return;
        found->second.erase(user.serial);
        if (found->second.empty()) holders.erase(found);
    };
    const auto remove_all = [&](Holders& holders, const std::vector<Identification>& all) {
        for (const auto& one : all) {
            remove(holders, to_lower(one.value));
            identifications_.erase(one.id);
        }
    };
    remove_all(emails_, user.email_addresses);
    remove_all(phones_, user.phone_numbers);
    remove_all(wallets_, user.web3_wallets);
    if (user.username) remove(usernames_, to_lower(*user.username));
    if (user.external_id) remove(external_ids_, *user.external_id);
}

std::optional<ClerkStore::Place> ClerkStore::place_of(std::string_view id) const {
    if (const auto* user = find(id)) return Place{user->created_at, user->serial};
    const auto found = tombstones_.find(std::string(id));
    if (found == tombstones_.end()) return std::nullopt;
    return found->second;
}

Cursor ClerkStore::cursor(std::string_view id) const {
    if (find(id) != nullptr) return Cursor::live;
    return tombstones_.contains(std::string(id)) ? Cursor::deleted : Cursor::unknown;
}

void ClerkStore::collect(const Holders& holders, const std::vector<std::string>& keys,
                         std::vector<const ClerkUser*>& found) const {
    for (const auto& key : keys) {
        const auto entry = holders.find(key);
        if (entry == holders.end()) continue;
        for (const auto serial : entry->second) found.push_back(by_serial_.at(serial));
    }
}

// The users that an exact filter leaves over, found by index; nothing when there is no such filter.
std::optional<std::vector<const ClerkUser*>> ClerkStore::candidates(
    const UserFilter& filter) const {
    std::vector<const ClerkUser*> found;
    if (!filter.user_id.included.empty()) {
        for (const auto& id : filter.user_id.included) {
            if (const auto* user = find(id)) found.push_back(user);
        }
    } else if (!filter.email_address.empty()) {
        collect(emails_, folded_all(filter.email_address), found);
    } else if (!filter.external_id.included.empty()) {
        collect(external_ids_, filter.external_id.included, found);
    } else if (!filter.username.empty()) {
        collect(usernames_, folded_all(filter.username), found);
    } else if (!filter.phone_number.empty()) {
        collect(phones_, folded_all(filter.phone_number), found);
    } else {
        return std::nullopt;
    }
    std::ranges::sort(found, {}, &ClerkUser::serial);
    const auto repeated = std::ranges::unique(found);
    found.erase(repeated.begin(), repeated.end());
    return found;
}

std::vector<const ClerkUser*> ClerkStore::list(const UserQuery& query) const {
    std::vector<const ClerkUser*> page;
    PageTaker taker(query, page);
    std::optional<Place> start;
    if (!query.starting_after.empty()) {
        start = place_of(query.starting_after);
        if (!start) return page;
    }

    const auto narrowed = candidates(query.filter);
    const bool indexed =
        query.order == UserOrder::created_at || query.order == UserOrder::updated_at;
    if (!narrowed && indexed) {
        const Line& line = query.order == UserOrder::created_at ? by_created_at_ : by_updated_at_;
        if (query.descending) {
            auto at = start ? std::make_reverse_iterator(line.lower_bound(*start)) : line.rbegin();
            while (at != line.rend() && taker.offer(*at->second)) ++at;
        } else {
            auto at = start ? line.upper_bound(*start) : line.begin();
            while (at != line.end() && taker.offer(*at->second)) ++at;
        }
        return page;
    }

    std::vector<const ClerkUser*> users;
    if (narrowed) {
        users = *narrowed;
    } else {
        users.reserve(users_.size());
        for (const auto& [serial, user] : by_serial_) users.push_back(user);
    }
    sort_users(users, query.order, query.descending);
    for (const auto* user : users) {
        const Place place{user->created_at, user->serial};
        if (start && (query.descending ? place >= *start : place <= *start)) continue;
        if (!taker.offer(*user)) break;
    }
    return page;
}

std::size_t ClerkStore::count(const UserFilter& filter) const {
    if (const auto narrowed = candidates(filter)) {
        return static_cast<std::size_t>(std::ranges::count_if(
            *narrowed, [&](const ClerkUser* user) { return matches(*user, filter); }));
    }
    if (matches_all(filter)) return users_.size();
    return static_cast<std::size_t>(std::ranges::count_if(
        by_serial_, [&](const auto& entry) { return matches(*entry.second, filter); }));
}

void ClerkStore::for_each(const std::function<void(const ClerkUser&)>& visit) const {
    for (const auto& [serial, user] : by_serial_) visit(*user);
}

}  // namespace rollcall::sim
