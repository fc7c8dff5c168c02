#include "sim/clerk_session.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <ranges>
#include <utility>

namespace rollcall::sim {

std::string_view to_string(SessionStatus status) {
    switch (status) {
        case SessionStatus::active:
            return "active";
        case SessionStatus::pending:
            return "pending";
        case SessionStatus::ended:
            return "ended";
        case SessionStatus::removed:
            return "removed";
        case SessionStatus::revoked:
            return "revoked";
    }
    return "";
}

bool ClerkSession::living(std::int64_t now) const {
    const bool open = status == SessionStatus::active || status == SessionStatus::pending;
    return open && now < created_at + life;
}

json::object to_json(const ClerkSession& session, std::int64_t now) {
    const bool open =
        session.status == SessionStatus::active || session.status == SessionStatus::pending;
    json::value organization = nullptr;
    if (session.organization) organization = session.organization->id;
    json::value tasks = nullptr;
    if (session.status == SessionStatus::pending) {
        tasks = json::array{json::object{{"key", "choose-organization"}}};
    }
    return {{"object", "session"},
            {"id", session.id},
            {"user_id", session.user_id},
            {"client_id", session.client_id},
            {"actor", nullptr},
            {"status", open && !session.living(now) ? "expired" : to_string(session.status)},
            {"tasks", std::move(tasks)},
            {"last_active_organization_id", std::move(organization)},
            {"last_active_at", session.created_at},
            {"latest_activity", nullptr},
            {"expire_at", session.created_at + ClerkSession::life},
            {"abandon_at", session.created_at + ClerkSession::life},
            {"updated_at", session.updated_at},
            {"created_at", session.created_at}};
}

ClerkSession& SessionStore::add(ClerkSession session, std::int64_t now) {
    if (sessions_.size() >= sessions_max) {
        const auto over = std::ranges::find_if(
            sessions_, [&](const auto& entry) { return !entry.second.living(now); });
        sessions_.erase(over == sessions_.end() ? sessions_.begin() : over);
    }
    auto id = session.id;
    return sessions_.insert_or_assign(std::move(id), std::move(session)).first->second;
}

ClerkSession* SessionStore::find(std::string_view id) {
    const auto found = sessions_.find(id);
    return found == sessions_.end() ? nullptr : &found->second;
}

ClerkSession* SessionStore::newest_of(std::string_view user_id, std::int64_t now) {
    for (auto& session : std::views::reverse(sessions_) | std::views::values) {
        if (session.user_id == user_id && session.living(now)) return &session;
    }
    return nullptr;
}

void SessionStore::erase_user(std::string_view user_id) {
    std::erase_if(sessions_, [&](const auto& entry) { return entry.second.user_id == user_id; });
}

}  // namespace rollcall::sim
