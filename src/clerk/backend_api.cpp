#include "clerk/backend_api.hpp"

#include "clerk/user_answer.hpp"
#include "clerk/user_json.hpp"

#include <string>
#include <utility>

namespace rollcall::clerk {
namespace {

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

void append_segment(std::string& url, std::string_view segment) {
    static constexpr char hex[] = "0123456789ABCDEF";
    for (const char c : segment) {
        if (is_unreserved(c)) {
            url += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        url += '%';
        url += hex[byte >> 4U];
        url += hex[byte & 15U];
    }
}

// "." and ".." would name another path.
bool is_segment(std::string_view id) {
    return usable_id(id) && id.find_first_not_of('.') != std::string_view::npos;
}

}  // namespace

HttpBackendApi::HttpBackendApi(http::Client& client, BackendApiConfig config)
    : client_(client), config_(std::move(config)) {
    while (config_.url.ends_with('/')) config_.url.pop_back();
}

Task<Result<std::optional<User>>> HttpBackendApi::get_user(std::string_view id) {
    if (!is_segment(id)) {
        co_return fail(ErrorCode::invalid_input, "this cannot be the id of a Clerk user");
    }
    const std::string asked(id);
    http::ClientRequest request;
    request.url = config_.url + "/v1/users/";
    append_segment(request.url, asked);
    request.headers.add("Authorization", "Bearer " + std::string(config_.secret_key.reveal()));
    request.headers.add("Clerk-API-Version", std::string(api_version));
    request.headers.add("Accept", "application/json");
    request.timeout = config_.timeout;
    const http::Response response = co_await client_.send(std::move(request));
    co_return read_user_answer(response, asked);
}

}  // namespace rollcall::clerk
