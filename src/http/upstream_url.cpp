#include "http/upstream_url.hpp"

#include "base/ascii.hpp"
#include "http/client.hpp"
#include "http/syntax.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <optional>

namespace rollcall::http {
namespace {

constexpr std::string_view host_characters = "abcdefghijklmnopqrstuvwxyz0123456789-._";

std::unexpected<Error> refuse(std::string_view why) {
    // The text itself is not repeated: it may hold a password.
    return fail(ErrorCode::bad_configuration, "not a usable URL: " + std::string(why));
}

// Takes `authority` apart. Written by hand because Boost.URL 1.81 takes "http://127.0.0.1.x" for a
// loopback address with the path ".x", and port 99999 for 34463.
Result<void> read_authority(std::string_view authority, UpstreamUrl& url) {
    if (authority.find('@') != std::string_view::npos) {
        return refuse("user information in it is not supported");
    }
    std::string_view port;
    const bool bracketed = authority.starts_with('[');
    const std::size_t host_end =
        bracketed ? authority.find(']') : std::min(authority.find(':'), authority.size());
    if (host_end == std::string_view::npos) return refuse("a bracket is open");
    url.host = authority.substr(bracketed ? 1 : 0, host_end - (bracketed ? 1 : 0));
    std::string_view rest = authority.substr(host_end + (bracketed ? 1 : 0));
    if (rest.starts_with(':')) {
        port = rest.substr(1);
        rest = {};
    }
    if (url.host.empty()) return refuse("the host is missing");
    url.host = to_lower(url.host);
    boost::system::error_code not_an_address;
    const auto address = boost::asio::ip::make_address(url.host, not_an_address);
    url.host_is_address = !not_an_address;
    if (!rest.empty() || bracketed != (url.host_is_address && address.is_v6()) ||
        (!bracketed && url.host.find_first_not_of(host_characters) != std::string::npos)) {
        return refuse("the host is neither a name nor an address");
    }
    url.loopback = url.host_is_address ? address.is_loopback() : url.host == "localhost";

    const std::string_view standard = url.tls ? "443" : "80";
    url.port = port.empty() ? standard : port;
    std::uint16_t number = 0;
    const auto [end, error] =
        std::from_chars(url.port.data(), url.port.data() + url.port.size(), number);
    if (error != std::errc{} || end != url.port.data() + url.port.size() || number == 0) {
        return refuse("the port is not one");
    }
    url.port = std::to_string(number);
    url.authority = bracketed ? "[" + url.host + "]" : url.host;
    if (url.port != standard) url.authority += ":" + url.port;
    return {};
}

}  // namespace

std::string UpstreamUrl::origin() const {
    return (tls ? "https://" : "http://") + authority;
}

Result<UpstreamUrl> parse_upstream_url(std::string_view text) {
    const std::size_t scheme = text.find("://");
    if (scheme == std::string_view::npos) {
        return refuse("an absolute http or https URL is expected");
    }
    UpstreamUrl url;
    if (same_name(text.substr(0, scheme), "https")) {
        url.tls = true;
    } else if (!same_name(text.substr(0, scheme), "http")) {
        return refuse("only http and https are known");
    }
    text.remove_prefix(scheme + 3);
    const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
    const auto authority = read_authority(text.substr(0, end), url);
    if (!authority) return std::unexpected(authority.error());
    text.remove_prefix(end);
    text = text.substr(0, text.find('#'));
    const std::size_t question = std::min(text.find('?'), text.size());
    url.target = text.starts_with('/') ? "" : "/";
    url.target += text;
    if ((question > 0 && !is_path(text.substr(0, question))) ||
        !is_query(text.substr(std::min(question + 1, text.size())))) {
        return refuse("its path or query has characters that have to be percent-encoded");
    }
    return url;
}

Result<void> check_upstream_url(std::string_view text) {
    const auto url = parse_upstream_url(text);
    if (!url) return std::unexpected(url.error());
    if (!url->tls && !url->loopback) {
        return fail(ErrorCode::bad_configuration,
                    "plain http is only allowed to this machine (localhost, 127.0.0.1, ::1): use "
                    "https");
    }
    return {};
}

bool is_loopback_url(std::string_view text) {
    const auto url = parse_upstream_url(text);
    return url && url->loopback;
}

}  // namespace rollcall::http
