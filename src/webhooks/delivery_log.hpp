// The operator's record of what came, when and what was refused: table rollcall.deliveries, one row
// for each minute, outcome, reason and event type, with a count; and rollcall.failing_networks, who
// fails the signature most. Requests only touch memory, which is bounded; flush() writes. A crash
// loses the last few seconds of it, never an event.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"
#include "pg/pool.hpp"
#include "webhooks/config.hpp"
#include "webhooks/failing_networks.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace rollcall::webhooks {

struct DeliveryNote {
    std::string_view outcome;     // stored, duplicate, review, ignored, refused, unavailable
    std::string_view reason;      // stable; "" when there is none to give
    std::string_view event_type;  // only of a verified delivery; "" when not known
    std::string_view svix_id;
    std::string_view client_address;  // kept of refused ones only, as its /24 or /48
};

class DeliveryLog {
public:
    // Both must outlive the log.
    DeliveryLog(pg::Pool& pool, const Clock& clock, const WebhookConfig& config);

    void note(const DeliveryNote& note);

    // Writes what was noted since the last time. When the database is away it throws, and keeps
    // what it has for the next call; two calls at once are a bug.
    Task<> flush();

    // Rows in memory, not yet written.
    [[nodiscard]] std::size_t pending() const { return rows_.size() + writing_.size(); }

private:
    // Minute since 1970, outcome, reason, event type.
    using Key = std::tuple<std::int64_t, std::string, std::string, std::string>;
    struct Row {
        std::int64_t count = 0;
        SystemTime first;
        SystemTime last;
        std::string svix_id;
        std::string network;
    };
    using Table = std::map<Key, Row>;

    [[nodiscard]] Key key_of(const DeliveryNote& note, SystemTime now) const;
    static void add(Table& table, const Key& key, const Row& row);

    pg::Pool& pool_;
    const Clock& clock_;
    std::size_t rows_max_;
    Table rows_;
    Table writing_;  // what a flush has taken and not yet seen committed
    FailingNetworks networks_;
    FailingNetworks writing_networks_;  // the same
    bool flushing_ = false;
};

// 203.0.113.77 is 203.0.113.0/24, 2001:db8:1:2::3 is 2001:db8:1::/48; "" for what is no address.
[[nodiscard]] std::string network_of(std::string_view address);

// A chore: deletes what is older than `retention`, at most `limit` rows; returns how many.
Task<std::int64_t> prune_deliveries(pg::Pool& pool, std::chrono::hours retention, int limit);

}  // namespace rollcall::webhooks
