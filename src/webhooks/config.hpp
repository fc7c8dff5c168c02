// What the webhook door can be told. Section [webhooks] of rollcall.toml; the secrets and the roles
// come from [clerk] and [directory].
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace rollcall::webhooks {

struct WebhookConfig {
    // The largest body that is read, answered 413 beyond. Give the HTTP server the same limit, so
    // that it stops reading there.
    std::size_t body_bytes_max = 1024 * 1024;

    // An event is answered 503 when its commit takes longer than this, so that the sender hears
    // within 2 s when the database is away. The insert may still succeed: the sender's retry is
    // then a duplicate.
    std::chrono::milliseconds answer_timeout{1'800};

    // Events of one INSERT. More gain nothing: past 16 rows the cost is PostgreSQL's, per row.
    std::size_t batch_max = 64;
    // INSERTs in flight at once; each takes a connection of the pool.
    std::size_t lanes = 2;
    // Events that wait for a lane; one more is answered 503.
    std::size_t waiting_max = 4'096;

    // Clerk can be asked: the user that an event kept for a person names is read again, so that the
    // row is right although the event could not be used.
    bool refresh_users = false;

    // Verified deliveries a second from all addresses together, beyond it 429; 0: no limit.
    double deliveries_per_second = 0;
    double deliveries_burst = 1'000;

    // How often the record of deliveries is written, and the rows that one minute may add to it;
    // what exceeds them is counted under event type "other".
    std::chrono::milliseconds record_interval{5'000};
    std::size_t record_rows_per_minute_max = 200;
    std::chrono::hours record_retention{24 * 30};
};

// The roles that `public_metadata.role` may name, and the one for everybody else.
struct RoleRules {
    std::vector<std::string> roles{"user", "admin"};
    std::string default_role = "user";
};

}  // namespace rollcall::webhooks
