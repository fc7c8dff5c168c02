#include "http/upstream_url.hpp"

#include "http/client.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace rollcall::http {
namespace {

std::string text_of(boost::core::string_view view) {
    return {view.data(), view.size()};
}

}  // namespace

std::string UpstreamUrl::origin() const {
    return (tls ? "https://" : "http://") + authority;
}

Result<UpstreamUrl> parse_upstream_url(std::string_view text) {
    // The text itself is not repeated: it may hold a password.
    const auto refuse = [](std::string_view why) {
        return fail(ErrorCode::bad_configuration, "not a usable URL: " + std::string(why));
    };
    const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
    if (!parsed) return refuse("an absolute http or https URL is expected");
    const boost::urls::url_view& view = *parsed;
    UpstreamUrl url;
    if (view.scheme_id() == boost::urls::scheme::https) {
        url.tls = true;
    } else if (view.scheme_id() != boost::urls::scheme::http) {
        return refuse("only http and https are known");
    }
    if (!view.has_authority() || view.encoded_host().empty()) return refuse("the host is missing");
    if (view.has_userinfo()) return refuse("user information in it is not supported");
    url.host = view.host_address();
    std::ranges::transform(url.host, url.host.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    });
    boost::system::error_code not_an_address;
    const auto address = boost::asio::ip::make_address(url.host, not_an_address);
    url.host_is_address = !not_an_address;
    url.loopback = url.host_is_address ? address.is_loopback() : url.host == "localhost";
    if (!url.host_is_address &&
        url.host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._") !=
            std::string::npos) {
        return refuse("the host name has characters that no host name has");
    }

    const std::string standard = url.tls ? "443" : "80";
    url.port = view.has_port() && !view.port().empty() ? text_of(view.port()) : standard;
    if (view.has_port() && !view.port().empty() && view.port_number() == 0) {
        return refuse("the port is out of range");
    }
    url.authority = url.host_is_address && address.is_v6() ? "[" + url.host + "]" : url.host;
    if (url.port != standard) url.authority += ":" + url.port;
    url.target = text_of(view.encoded_path());
    if (url.target.empty()) url.target = "/";
    if (view.has_query()) url.target += "?" + text_of(view.encoded_query());
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

}  // namespace rollcall::http
