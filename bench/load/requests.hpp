// HTTP requests, made before the clock starts, so that the generator's own cost while it measures
// is sending and reading only. Signed ones have each their own user and their own delivery id.
#pragma once

#include "events.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::bench {

struct Signing {
    std::string scheme;  // svix | stripe | forged: as svix, by somebody who has not the secret
    std::string secret;  // whsec_<base64> for svix; used as it stands for stripe
};

class Requests {
public:
    // `count` requests for the users first, first + 1, …; POST to `path`.
    Requests(const EventTemplate& events, const Signing& signing, const std::string& path,
             std::uint64_t first, std::size_t count);

    // `count` requests: those of `heads`, in turn, each of which ends with an empty line and has no
    // body. Throws std::runtime_error when the last one does not, or there is none.
    Requests(std::string heads, std::size_t count);

    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] std::string_view at(std::size_t index) const;

private:
    std::size_t count_;
    std::string bytes_;
    std::vector<std::size_t> ends_;
};

}  // namespace rollcall::bench
