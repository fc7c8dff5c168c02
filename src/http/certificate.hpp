// The certificate that a server shows over TLS, judged as Client judges it: for checks that tell a
// person before it ends.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"

#include <optional>
#include <string>

namespace rollcall::http {

struct CertificateLook {
    std::optional<SystemTime> end;  // of one that is taken
    // Why it is not, as OpenSSL says it: "certificate has expired". "" with no `end`: no server
    // could be asked.
    std::string refusal;
};

// Shakes hands with the host of `url`, an https one, within `limit`; asks it nothing. The system's
// CAs count.
Task<CertificateLook> look_at_certificate(std::string url, Duration limit);

}  // namespace rollcall::http
