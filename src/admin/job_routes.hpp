// Jobs and the audit log over the admin API, behind the admin token: docs/jobs.md has the routes.
// E-mail addresses, names and events are only shown when that is asked for, and then it is told in
// the audit log.
#pragma once

#include "base/secret.hpp"
#include "http/router.hpp"
#include "jobs/queue_admin.hpp"
#include "pg/pool.hpp"

#include <functional>

namespace rollcall::admin {

// What the audit log is told of who sent `request`.
[[nodiscard]] Actor actor_of(const http::Request& request);

// `pool` and `queue` must outlive the router; until `has_schema` answers are 503.
void add_job_routes(http::Router& router, const Secret& token, pg::Pool& pool,
                    jobs::QueueAdmin& queue, std::function<bool()> has_schema);

}  // namespace rollcall::admin
