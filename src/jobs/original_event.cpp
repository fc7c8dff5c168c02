#include "jobs/original_event.hpp"

#include "crypto/encoding.hpp"

#include <string_view>

namespace rollcall::jobs {

std::optional<std::string> exact_bytes(const std::optional<std::string>& stored) {
    constexpr std::string_view mark = "base64:";
    if (!stored || !stored->starts_with(mark)) return stored;
    return crypto::base64_decode(std::string_view(*stored).substr(mark.size()));
}

}  // namespace rollcall::jobs
