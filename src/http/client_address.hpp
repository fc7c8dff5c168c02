// Who is at the other end of a connection: its peer, or, where that is a proxy which the operator
// trusts, the address for which it speaks. Pure.
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::http {

class TrustedProxies {
public:
    // Nobody.
    TrustedProxies() = default;

    // Addresses and networks: 127.0.0.1, 10.0.0.0/8, fd00::/8. What is larger than any network of
    // one's own (IPv4: /8, IPv6: /7), "all" and "*" above all, is bad_configuration: whoever is
    // trusted may claim to be anybody.
    [[nodiscard]] static Result<TrustedProxies> parse(std::span<const std::string> networks);

    [[nodiscard]] bool contains(std::string_view address) const;
    [[nodiscard]] bool empty() const { return networks_.empty(); }

private:
    // IPv4 as IPv6 has it, ::ffff:a.b.c.d; a network of one never contains an address of the other.
    using Bytes = std::array<std::uint8_t, 16>;
    struct Network {
        Bytes bytes;
        unsigned bits;
        bool v4;
    };
    [[nodiscard]] static Result<Network> parse_network(const std::string& text);

    std::vector<Network> networks_;
};

// Of `X-Forwarded-For`, read from the right, the first address that is not a trusted proxy's
// itself: what stands left of it its sender may have made up. An element that is no address ends
// the walk at the one before, as does a bound on their number. Without a trusted peer: the peer.
[[nodiscard]] std::string client_address(std::string_view peer, const Fields& headers,
                                         const TrustedProxies& trusted);

}  // namespace rollcall::http
