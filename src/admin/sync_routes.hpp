// Runs of polling over HTTP: /api/cron/clerk-sync on the public listener, for platforms that have a
// scheduler, and POST /api/v1/users/{clerk_id}/sync on the admin listener. An answer is the run's
// summary: 200 when it completed, 502 when not; 409 while another run is under way.
#pragma once

#include "base/actor.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "http/address_guard.hpp"
#include "http/router.hpp"

#include <functional>
#include <string>

namespace rollcall::admin {

// How a run ended. Errors are what kept it from beginning.
struct Synced {
    bool completed = false;
    std::string summary;  // JSON
};

// GET and POST, behind the cron key; `?mode=` is incremental (the default) or full.
void add_cron_sync_route(http::Router& router, const Secret& key, http::AddressGuard* guard,
                         std::function<Task<Result<Synced>>(bool full)> run);

// Asks Clerk for one user and applies the answer; behind the admin token. `by` is who asked.
void add_user_sync_route(http::Router& router, const Secret& token,
                         std::function<Task<Result<Synced>>(std::string clerk_id, Actor by)> run);

}  // namespace rollcall::admin
