// /api/cron/process-jobs, for platforms that have a scheduler and no long-running process: one call
// works off what is due and answers {"success":true,"processed":n}. Behind the cron key.
#pragma once

#include "base/secret.hpp"
#include "base/task.hpp"
#include "http/address_guard.hpp"
#include "http/router.hpp"

#include <functional>

namespace rollcall::admin {

// `work_off` runs every lane until nothing is due or its own time limit, and returns how many jobs
// it worked. `guard` (null: none) must outlive the router.
void add_process_jobs_route(http::Router& router, const Secret& key, http::AddressGuard* guard,
                            std::function<Task<int>()> work_off);

}  // namespace rollcall::admin
