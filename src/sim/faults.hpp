// The switches that make the simulated Clerk and Supabase Auth behave badly, settable while they
// run. A switch is off,
// on for every occasion, on for the next N occasions, or on with a probability; chance comes from
// the seed. Pure. docs/simulator.md describes each switch.
#pragma once

#include "base/random.hpp"
#include "base/result.hpp"

#include <array>
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace rollcall::sim {

namespace json = boost::json;

enum class Fault : std::uint8_t {
    // Of a message, when it is made.
    duplicate,          // sent twice, with the same svix-id
    reorder,            // held until a later message was sent
    delay,              // first sent up to `delay_seconds` late
    drop,               // never sent; a replay of what is missing brings it
    seconds_timestamp,  // the envelope's timestamp in seconds, as in Clerk's own examples
    same_millisecond,   // the edit leaves updated_at as it was
    // Of one attempt to deliver.
    bad_signature,    // signed with a key that nobody has
    old_secret,       // signed with the secret before the current one only
    stale_timestamp,  // signed as of ten minutes ago
    slow_delivery,    // sent `slow_seconds` after its turn
    ack_lost,         // a 2xx is taken for a time-out: the message comes again
    // Of one answer of the Backend API.
    api_slow,            // answered after `slow_seconds`
    api_hang,            // not answered for `hang_seconds`
    api_429,             // with Retry-After: `retry_after_seconds`
    api_401,             // as if the key were wrong
    api_404,             // GET /users/{id} does not find a user who is there
    api_5xx,             // 500 in Clerk's form, 502 as a proxy's page, or 503
    api_not_json,        // 200 with a page of HTML
    api_empty_list,      // GET /users answers []
    api_short_list,      // GET /users leaves out the second half of the page
    api_truncated_body,  // the JSON stops half way
    api_wrong_count,     // GET /users/count tells another number
    // Of one answer of the key set, of the Backend API as of the Frontend API.
    jwks_slow,      // answered after `slow_seconds`
    jwks_hang,      // not answered for `hang_seconds`
    jwks_500,       // in Clerk's form
    jwks_429,       // with Retry-After: `retry_after_seconds`
    jwks_not_json,  // 200 with a page of HTML
    jwks_drop,      // the connection is closed at once
    // Of one answer of the simulated Supabase Auth.
    auth_slow,         // acted on and answered after `slow_seconds`
    auth_hang,         // not acted on and not answered for `hang_seconds`
    auth_500,          // unexpected_failure
    auth_429,          // over_request_rate_limit; no Retry-After unless told to
    auth_401,          // as if the gateway did not know the key
    auth_not_json,     // a gateway's page of HTML, with 200 or 502
    auth_drop,         // acted on, then the connection is closed
    auth_drop_before,  // the connection is closed at once
    auth_read_only,    // as Auth before a database that takes no write: reads work, no write does
    auth_opaque,       // a unique violation is the opaque 500 for everybody
    auth_skip_page,    // a page of the list leaves out its last user
    count,
};

// A wait that a fault asks for before an answer.
struct FaultyWait {
    std::chrono::milliseconds duration{0};
    bool hang = false;  // then there is no answer but a proxy's 504
};

class Faults {
public:
    explicit Faults(std::uint64_t seed) : random_(seed) {}

    // Whether `fault` happens this time; uses up one of its occasions.
    [[nodiscard]] bool strikes(Fault fault);

    // Sets the named switches and settings and leaves the others; all or none. Values: false or 0
    // off, true always, a whole number N the next N times, a fraction below 1 a probability.
    // invalid_input names what is wrong.
    [[nodiscard]] Result<void> merge(const json::object& changes);
    // "name=value", as on the command line; true and false as in JSON, "always" and "off" too.
    [[nodiscard]] Result<void> merge_text(std::string_view assignment);
    // Everything off, settings as at the beginning.
    void clear();
    [[nodiscard]] json::object to_json() const;

    // How many times each switch struck, for those that did.
    [[nodiscard]] json::object struck() const;

    [[nodiscard]] std::chrono::milliseconds up_to_delay();  // uniform in [0, delay_seconds]
    [[nodiscard]] std::chrono::milliseconds slow() const { return settings_.slow; }
    [[nodiscard]] std::chrono::milliseconds hang() const { return settings_.hang; }
    [[nodiscard]] std::chrono::milliseconds reorder() const { return settings_.reorder; }
    [[nodiscard]] std::int64_t retry_after_seconds() const { return settings_.retry_after_seconds; }
    // What a starting_after on a deleted user does, which Clerk does not document.
    [[nodiscard]] bool refuses_deleted_cursor() const { return settings_.refuse_deleted_cursor; }
    // Whether the simulated Supabase Auth accepts no connection at all.
    [[nodiscard]] bool auth_down() const { return settings_.auth_down; }
    // The Retry-After of auth_429; 0: it has none, as the real one.
    [[nodiscard]] std::int64_t auth_retry_after_seconds() const {
        return settings_.auth_retry_after_seconds;
    }
    [[nodiscard]] Random& random() { return random_; }

private:
    static constexpr std::size_t count = static_cast<std::size_t>(Fault::count);

    struct Switch {
        bool always = false;
        std::int64_t times = 0;
        double probability = 0;
    };
    struct Settings {
        std::array<Switch, count> switches{};
        std::chrono::milliseconds delay{5'000};
        std::chrono::milliseconds slow{2'000};
        std::chrono::milliseconds hang{60'000};
        std::chrono::milliseconds reorder{2'000};
        std::int64_t retry_after_seconds = 1;
        bool refuse_deleted_cursor = false;
        bool auth_down = false;
        std::int64_t auth_retry_after_seconds = 0;
    };

    [[nodiscard]] static Result<void> set(Settings& settings, std::string_view name,
                                          const json::value& value);
    [[nodiscard]] static Result<void> set_switch(Switch& target, std::string_view name,
                                                 const json::value& value);

    Random random_;
    Settings settings_;
    std::array<std::int64_t, count> struck_{};
};

}  // namespace rollcall::sim
