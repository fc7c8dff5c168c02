// The switches that make the simulated Clerk behave badly, settable while it runs. A switch is off,
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
    count,
};

class ClerkFaults {
public:
    explicit ClerkFaults(std::uint64_t seed) : random_(seed) {}

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
