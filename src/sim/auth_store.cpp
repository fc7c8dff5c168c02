#include "sim/auth_store.hpp"

#include "base/ascii.hpp"
#include "base/result.hpp"

#include <algorithm>
#include <ranges>

namespace rollcall::sim {

namespace json = boost::json;

namespace {

// GoTrue's own condition: the filter is not escaped, and only the name is compared without case.
bool passes(const AuthUser& user, const std::string& pattern) {
    if (like(user.email, pattern)) return true;
    const auto* name = user.user_metadata.if_contains("full_name");
    if (name == nullptr || !name->is_string()) return false;
    return like(to_lower(std::string_view(name->get_string())), to_lower(pattern));
}

}  // namespace

AuthIdentity* AuthUser::identity(std::string_view provider) {
    const auto found = std::ranges::find(identities, provider, &AuthIdentity::provider);
    return found == identities.end() ? nullptr : &*found;
}

const AuthUser* AuthStore::find(std::string_view id) const {
    const auto found = users_.find(id);
    return found == users_.end() ? nullptr : &found->second;
}

const AuthUser* AuthStore::find_by_email(const std::string& email) const {
    const auto found = emails_.find(email);
    return found == emails_.end() ? nullptr : found->second;
}

const AuthUser* AuthStore::find_by_phone(const std::string& phone) const {
    const auto found = phones_.find(phone);
    return found == phones_.end() ? nullptr : found->second;
}

std::optional<UniqueViolation> AuthStore::conflict(const AuthUser& user, bool is_new) const {
    if (is_new && find(user.id) != nullptr) return UniqueViolation{"users_pkey", "id", user.id};
    if (const auto* holder = find_by_email(user.email);
        holder != nullptr && holder->id != user.id) {
        return UniqueViolation{"users_email_partial_key", "email", user.email};
    }
    if (const auto* holder = find_by_phone(user.phone);
        holder != nullptr && holder->id != user.id) {
        return UniqueViolation{"users_phone_key", "phone", user.phone};
    }
    return std::nullopt;
}

void AuthStore::unindex(const AuthUser& user) {
    by_age_.erase({user.created_at, user.serial});
    emails_.erase(user.email);
    phones_.erase(user.phone);
}

const AuthUser& AuthStore::put(AuthUser user) {
    ensure(!conflict(user, /*is_new=*/false), "two Auth users share what is unique");
    const auto known = users_.find(user.id);
    if (known != users_.end()) unindex(known->second);
    user.serial = known == users_.end() ? ++serials_ : known->second.serial;
    auto& kept = users_[user.id];
    kept = std::move(user);
    by_age_[{kept.created_at, kept.serial}] = &kept;
    if (!kept.email.empty()) emails_[kept.email] = &kept;
    if (!kept.phone.empty()) phones_[kept.phone] = &kept;
    return kept;
}

bool AuthStore::erase(const std::string& id) {
    const auto found = users_.find(id);
    if (found == users_.end()) return false;
    unindex(found->second);
    users_.erase(found);
    return true;
}

void AuthStore::clear() {
    users_.clear();
    by_age_.clear();
    emails_.clear();
    phones_.clear();
}

AuthPage AuthStore::list(const AuthQuery& query) const {
    const std::string pattern = '%' + query.filter + '%';
    const auto page = std::max<std::uint64_t>(query.page, 1);
    AuthPage found;
    const auto visit = [&](const AuthUser& user) {
        if (user.aud != query.aud) return;
        if (!query.filter.empty() && !passes(user, pattern)) return;
        const auto at = found.total++;
        // Compared by division: a page number may be as large as it likes.
        if (at / query.per_page == page - 1) found.users.push_back(&user);
    };
    if (query.ascending) {
        for (const auto* user : by_age_ | std::views::values) visit(*user);
    } else {
        for (const auto* user : by_age_ | std::views::values | std::views::reverse) visit(*user);
    }
    return found;
}

void AuthStore::for_each(const std::function<void(const AuthUser&)>& visit) const {
    for (const auto* user : by_age_ | std::views::values) visit(*user);
}

bool like(std::string_view text, std::string_view pattern) {
    std::size_t at = 0;
    std::size_t part = 0;
    // Where the last `%` stood, and how much of the text it has taken so far.
    auto star = std::string_view::npos;
    std::size_t taken = 0;
    while (at < text.size()) {
        if (part < pattern.size() && pattern[part] == '%') {
            star = part++;
            taken = at;
            continue;
        }
        const bool escaped = part + 1 < pattern.size() && pattern[part] == '\\';
        const bool wild = part < pattern.size() && pattern[part] == '_';
        const std::size_t literal = escaped ? part + 1 : part;
        if (wild || (literal < pattern.size() && pattern[literal] == text[at])) {
            part = literal + 1;
            ++at;
        } else if (star != std::string_view::npos) {
            part = star + 1;
            at = ++taken;
        } else {
            return false;
        }
    }
    while (part < pattern.size() && pattern[part] == '%') ++part;
    return part == pattern.size();
}

void merge_metadata_keys(json::object& target, const json::object& changes) {
    for (const auto& [key, value] : changes) {
        if (value.is_null()) {
            target.erase(key);
        } else {
            target[key] = value;
        }
    }
}

}  // namespace rollcall::sim
