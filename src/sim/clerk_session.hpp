// Sessions of the simulated Clerk: who is signed in, since when, and for which organization. Their
// JSON is that of the Backend API and of the session events (Clerk OpenAPI 2026-05-12, "Session").
// Times are unix milliseconds. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::sim {

namespace json = boost::json;

// The organization that a session, or a token, speaks for. There is no list of them.
struct ActiveOrganization {
    std::string id;
    std::string slug;                      // "": none
    std::string role;                      // org:admin
    std::vector<std::string> permissions;  // org:invoices:read
};

enum class SessionStatus : std::uint8_t { active, pending, ended, removed, revoked };

[[nodiscard]] std::string_view to_string(SessionStatus status);

struct ClerkSession {
    // Clerk's default: seven days, however active.
    static constexpr std::int64_t life = 7LL * 24 * 3'600'000;

    std::string id;  // sess_…
    std::string user_id;
    std::string client_id;
    SessionStatus status = SessionStatus::active;
    std::optional<ActiveOrganization> organization;
    std::int64_t created_at = 0;
    std::int64_t updated_at = 0;

    // Whether tokens may be made of it.
    [[nodiscard]] bool living(std::int64_t now) const;
};

// `now` tells whether it has expired.
[[nodiscard]] json::object to_json(const ClerkSession& session, std::int64_t now);

class SessionStore {
public:
    static constexpr std::size_t sessions_max = 10'000;

    // Where there is no room, one that is over is forgotten, else the oldest.
    ClerkSession& add(ClerkSession session, std::int64_t now);
    [[nodiscard]] ClerkSession* find(std::string_view id);
    // The newest living one of this user; null: there is none.
    [[nodiscard]] ClerkSession* newest_of(std::string_view user_id, std::int64_t now);
    void erase_user(std::string_view user_id);
    void clear() { sessions_.clear(); }

    // By id, which is the order in which they were made.
    [[nodiscard]] const std::map<std::string, ClerkSession, std::less<>>& all() const {
        return sessions_;
    }

private:
    std::map<std::string, ClerkSession, std::less<>> sessions_;
};

}  // namespace rollcall::sim
