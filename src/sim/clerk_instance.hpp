// One simulated Clerk instance: its users and their sessions, what it owes its webhook endpoint,
// its faults. All state of the simulator is here, in memory, and every change of a user goes
// through save() or remove(), which make the event. No I/O: ClerkApi and ClerkControl answer
// requests from it, ClerkDelivery sends its messages, all on one event loop.
#pragma once

#include "base/clock.hpp"
#include "sim/clerk_endpoint.hpp"
#include "sim/clerk_event.hpp"
#include "sim/clerk_ids.hpp"
#include "sim/clerk_messages.hpp"
#include "sim/clerk_people.hpp"
#include "sim/clerk_rate_limit.hpp"
#include "sim/clerk_session.hpp"
#include "sim/clerk_signing_keys.hpp"
#include "sim/clerk_store.hpp"
#include "sim/faults.hpp"

#include <boost/json/value.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::sim {

// A post to the alert sink.
struct ReceivedAlert {
    std::int64_t at = 0;  // unix milliseconds
    boost::json::value body;
};

// A request to the Backend API.
struct ApiRecord {
    std::int64_t at = 0;  // unix milliseconds
    std::string method;
    std::string path;
    std::string traceparent;  // as it came; "" for none
};

struct ClerkInstance {
    static constexpr std::size_t alerts_max = 1000;
    static constexpr std::size_t records_max = 1000;
    // The Frontend API, which is what tokens name as their issuer. Nobody is there (RFC 6761
    // section 6.3): the keys come from the Backend API.
    static constexpr std::string_view issuer = "https://clerk.rollcall.localhost";

    ClerkInstance(std::uint64_t seed, IdMaker::Counters made, std::size_t messages_max,
                  double delivery_speed, ApiRateLimit limit, const Clock& time);
    ClerkInstance(const ClerkInstance&) = delete;
    ClerkInstance& operator=(const ClerkInstance&) = delete;

    const Clock& clock;
    IdMaker ids;
    std::string id;          // ins_…
    std::string secret_key;  // sk_test_…
    Faults faults;
    ClerkStore users;
    SessionStore sessions;
    ClerkSigningKeys keys;
    MessageLog messages;
    WebhookEndpoint endpoint;
    double speed;
    ApiRateLimiter rate_limiter;
    std::deque<ReceivedAlert> alerts;
    std::uint64_t api_requests = 0;
    std::deque<ApiRecord> api_records;  // the newest last
    std::uint64_t people_made = 0;

    // Called after a message came in or a send was planned, and after any change worth keeping.
    std::function<void()> on_message = [] {};
    std::function<void()> on_change = [] {};
    // Called after the switches were set by a control route.
    std::function<void()> on_faults = [] {};
    // Called after a control route emptied it.
    std::function<void()> on_reset = [] {};

    [[nodiscard]] std::int64_t now() const { return clock.now().time_since_epoch().count(); }

    // Stores a new or changed user. updated_at moves forward by at least a millisecond at every
    // change, but for the fault same_millisecond. Makes user.created or user.updated. Who is banned
    // now has their sessions revoked.
    const ClerkUser& save(ClerkUser user, const Origin& origin);
    // Makes user.deleted. The user must be there; their sessions go without events.
    void remove(const std::string& user_id, const Origin& origin);
    // A new session of a user who is there. Makes session.created or, when it is pending,
    // session.pending. Good until the next one is made.
    ClerkSession& sign_in(const std::string& user_id, SessionStatus status,
                          std::optional<ActiveOrganization> organization, const Origin& origin);
    // Makes session.ended, session.removed or session.revoked; nothing when it is over already.
    void sign_out(ClerkSession& session, SessionStatus how, const Origin& origin);
    // How the current key is replaced: under a new name.
    void rotate_keys(bool overlap);
    // pk_test_… of the issuer, for CLERK_PUBLISHABLE_KEY.
    [[nodiscard]] static std::string publishable_key();

    // Makes `count` people of `shape` (all shapes in turn when null), born one after the other
    // until now; with their events or silently.
    std::vector<std::string> populate(std::size_t count, const Shape* shape, bool with_events);

    // Puts the event's message into the log, subject to the faults. Null when there was no room.
    const Message* publish(const ClerkEvent& event);
    // The same for a body that need not be an event at all.
    const Message* publish_raw(std::string type, std::string subject, std::string body);

private:
    void publish_session(const ClerkSession& session, const Origin& origin, std::string_view what);
};

}  // namespace rollcall::sim
