// Where a request of the client goes, taken apart.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace rollcall::http {

struct UpstreamUrl {
    bool tls = false;
    std::string host;  // without brackets
    std::string port;
    std::string authority;  // the Host field: no port where it is the scheme's
    std::string target;     // path and query
    bool host_is_address = false;
    bool loopback = false;  // 127.0.0.0/8, ::1 or localhost

    [[nodiscard]] std::string origin() const;  // key of kept connections, and for messages
};

// http and https only, no user information.
[[nodiscard]] Result<UpstreamUrl> parse_upstream_url(std::string_view url);

}  // namespace rollcall::http
