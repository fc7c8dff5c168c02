#include "http/certificate.hpp"

#include "base/timeout.hpp"
#include "http/client_connection.hpp"
#include "http/upstream_url.hpp"

#include <memory>
#include <string_view>

namespace rollcall::http {
namespace {

constexpr std::string_view before_reason = ": tls: ";

std::string reason_of(std::string_view message) {
    const std::size_t at = message.find(before_reason);
    return std::string(at == std::string_view::npos ? message
                                                    : message.substr(at + before_reason.size()));
}

}  // namespace

Task<CertificateLook> look_at_certificate(std::string url, Duration limit) {
    const auto where = parse_upstream_url(url);
    ensure(where && where->tls, "certificate: of an https address");
    TlsContext tls("");
    std::string_view phase;
    try {
        const auto connection =
            co_await with_timeout(ClientConnection::open(*where, &tls, phase), limit);
        if (!connection) co_return CertificateLook{};
        co_return CertificateLook{.end = (*connection)->certificate_end(), .refusal = ""};
    } catch (const Unavailable& away) {
        co_return CertificateLook{.end = {},
                                  .refusal = phase == "tls" ? reason_of(away.what()) : ""};
    }
}

}  // namespace rollcall::http
