#include "clerk/http_backend_api.hpp"

#include "base/ascii.hpp"
#include "clerk/answers.hpp"
#include "clerk/user_json.hpp"

#include <string>
#include <utility>

namespace rollcall::clerk {
namespace {

// Pages are read one after the other: their buffers stay, unless a page was unusually large.
constexpr std::size_t page_bytes_kept = 8UL * 1024 * 1024;

// "." and ".." would name another path.
bool is_segment(std::string_view id) {
    return usable_id(id) && id.find_first_not_of('.') != std::string_view::npos;
}

std::string with_query(std::string target, const std::string& query) {
    return query.empty() ? target : target + "?" + query;
}

}  // namespace

HttpBackendApi::HttpBackendApi(ApiChannel& channel, Patience patience, const TraceContext& trace)
    : channel_(channel), patience_(patience), trace_(trace), page_(page_bytes_kept) {}

Task<ApiResult<http::Response>> HttpBackendApi::get(std::string_view operation,
                                                    std::string target) {
    co_return co_await channel_.get(operation, std::move(target), patience_, requests_, trace_);
}

Task<Result<std::optional<User>>> HttpBackendApi::get_user(std::string_view id) {
    if (!is_segment(id)) {
        co_return fail(ErrorCode::invalid_input, "this cannot be the id of a Clerk user");
    }
    const std::string asked(id);
    std::string target = "/v1/users/";
    append_percent_encoded(target, asked);
    co_return read_user_answer(co_await get("get_user", std::move(target)), asked);
}

Task<Result<std::vector<User>>> HttpBackendApi::list_users(UserQuery query) {
    const auto answer = co_await get("list_users", with_query("/v1/users", query_string(query)));
    co_return read_page_answer(answer, page_, !query.starting_after.empty());
}

Task<Result<std::int64_t>> HttpBackendApi::count_users(UserFilter filter) {
    co_return read_count_answer(
        co_await get("count_users", with_query("/v1/users/count", query_string(filter))));
}

Task<Result<Instance>> HttpBackendApi::instance() {
    co_return read_instance_answer(co_await get("get_instance", "/v1/instance"));
}

}  // namespace rollcall::clerk
