#include "http/client_address.hpp"

#include "base/ascii.hpp"
#include "http/syntax.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <optional>
#include <ranges>

namespace rollcall::http {
namespace {

namespace ip = boost::asio::ip;

constexpr int elements_max = 32;
constexpr unsigned v4_offset = 96;  // bits of ::ffff:0:0
constexpr unsigned v4_bits_min = 8;
constexpr unsigned v6_bits_min = 7;

std::optional<ip::address_v6> parse_address(std::string_view text) {
    boost::system::error_code error;
    if (text.contains(':')) {
        const auto address = ip::make_address_v6(text, error);
        return error ? std::nullopt : std::optional(address);
    }
    const auto address = ip::make_address_v4(text, error);
    return error ? std::nullopt : std::optional(ip::make_address_v6(ip::v4_mapped, address));
}

std::string shown(const ip::address_v6& address) {
    return address.is_v4_mapped() ? ip::make_address_v4(ip::v4_mapped, address).to_string()
                                  : address.to_string();
}

bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// 192.0.2.1, 192.0.2.1:443, 2001:db8::1, [2001:db8::1], [2001:db8::1]:443.
std::optional<ip::address_v6> parse_element(std::string_view text) {
    text = trimmed(text);
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        const std::string_view rest = text.substr(end + 1);
        if (!rest.empty() && (rest.front() != ':' || !is_number(rest.substr(1)))) {
            return std::nullopt;
        }
        const auto address = parse_address(text.substr(1, end - 1));
        return address && !address->is_v4_mapped() ? address : std::nullopt;
    }
    const std::size_t colon = text.find(':');
    if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
        if (!is_number(text.substr(colon + 1))) return std::nullopt;
        text = text.substr(0, colon);
    }
    return parse_address(text);
}

std::unexpected<Error> refuse(const std::string& text, std::string_view why) {
    return fail(ErrorCode::bad_configuration, "\"" + text + "\" " + std::string(why));
}

}  // namespace

Result<TrustedProxies::Network> TrustedProxies::parse_network(const std::string& text) {
    if (text == "all" || text == "*") return refuse(text, "would trust everybody");
    const std::size_t slash = std::min(text.find('/'), text.size());
    const auto address = parse_address(std::string_view(text).substr(0, slash));
    if (!address) return refuse(text, "is neither an address nor a network");
    const bool written_v4 = text.find(':') == std::string::npos;
    unsigned bits = written_v4 ? 32 : 128;
    if (slash < text.size()) {
        unsigned given = 0;
        const char* const end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, given);
        if (error != std::errc{} || stop != end || given > bits) {
            return refuse(text, "has no length of a network after the slash");
        }
        bits = given;
    }
    if (written_v4) bits += v4_offset;
    const bool v4 = address->is_v4_mapped() && bits >= v4_offset;
    if (bits < (v4 ? v4_offset + v4_bits_min : v6_bits_min)) {
        return refuse(text, "is larger than any network of one's own: it would trust strangers");
    }
    return Network{.bytes = address->to_bytes(), .bits = bits, .v4 = v4};
}

Result<TrustedProxies> TrustedProxies::parse(std::span<const std::string> networks) {
    TrustedProxies out;
    for (const std::string& text : networks) {
        auto network = parse_network(text);
        if (!network) return std::unexpected(network.error());
        out.networks_.push_back(*network);
    }
    return out;
}

bool TrustedProxies::contains(std::string_view text) const {
    if (networks_.empty()) return false;
    const auto address = parse_address(text);
    if (!address) return false;
    const Bytes bytes = address->to_bytes();
    return std::ranges::any_of(networks_, [&](const Network& network) {
        if (network.v4 != address->is_v4_mapped()) return false;
        for (unsigned bit = 0; bit < network.bits; bit += 8) {
            const unsigned left = std::min(8U, network.bits - bit);
            const unsigned differing = static_cast<unsigned>(bytes.at(bit / 8)) ^
                                       static_cast<unsigned>(network.bytes.at(bit / 8));
            if (differing >> (8 - left) != 0) return false;
        }
        return true;
    });
}

std::string client_address(std::string_view peer, const Fields& headers,
                           const TrustedProxies& trusted) {
    std::string client(peer);
    if (!trusted.contains(peer)) return client;
    int elements = 0;
    for (const auto& [name, value] : headers.all() | std::views::reverse) {
        if (!same_name(name, "X-Forwarded-For")) continue;
        std::string_view rest = value;
        for (bool more = true; more;) {
            const std::size_t comma = rest.rfind(',');
            more = comma != std::string_view::npos;
            const auto address = parse_element(more ? rest.substr(comma + 1) : rest);
            if (!address || ++elements > elements_max) return client;
            client = shown(*address);
            if (!trusted.contains(client)) return client;
            rest = rest.substr(0, more ? comma : 0);
        }
    }
    return client;
}

}  // namespace rollcall::http
