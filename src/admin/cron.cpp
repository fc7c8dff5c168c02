#include "admin/cron.hpp"

#include "admin/bearer.hpp"

#include <fmt/format.h>

namespace rollcall::admin {

void add_process_jobs_route(http::Router& router, const Secret& key, http::AddressGuard* guard,
                            std::function<Task<int>()> work_off) {
    const auto handler = [work_off = std::move(work_off)](http::Request&) -> Task<http::Response> {
        const int processed = co_await work_off();
        co_return http::Response::json(
            200, fmt::format(R"({{"success":true,"processed":{}}})", processed));
    };
    router.add({"GET", "POST"}, "/api/cron/process-jobs", with_bearer(key, handler, guard));
}

}  // namespace rollcall::admin
