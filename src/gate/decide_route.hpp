// ANY /gate/decide: forward authentication. Answers 200, 401 or 403 and nothing else, because nginx
// makes 500 of everything else. 200 has no body and says who calls, in the header fields of
// gate/identity_headers and X-Rollcall-Path; 401 has WWW-Authenticate (RFC 6750, section 3); both
// refusals have a body of RFC 9457 with the reason as `code`. Never limited by rate: the requests
// are a proxy's.
#pragma once

#include "base/random.hpp"
#include "gate/decider.hpp"
#include "http/router.hpp"

#include <string_view>

namespace rollcall::gate {

struct DecideConfig {
    bool verbose = true;  // false: reasons only in log and metrics
};

// All must outlive the handler.
void add_decide_route(http::Router& router, Decider& decider, Random& random, DecideConfig config);

// The answer to the request `request_id`. `spare` is empty, for its memory alone.
[[nodiscard]] http::Response to_response(const Verdict& verdict, std::string_view request_id,
                                         DecideConfig config, http::Fields spare = {});

}  // namespace rollcall::gate
