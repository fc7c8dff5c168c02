#include "jobs/reason.hpp"

#include "pg/error.hpp"

#include <cstdint>

namespace rollcall::jobs {
namespace {

// Bytes of the UTF-8 character at the start of `text`; 0 when it is not one (RFC 3629).
std::size_t character_bytes(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80) return 0;
    }
    const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
    const bool surrogate = first == 0xED && byte(1) > 0x9F;
    const bool beyond = first == 0xF4 && byte(1) > 0x8F;
    return overlong || surrogate || beyond ? 0 : length;
}

}  // namespace

std::string clean_reason(std::string_view text) {
    std::string clean;
    while (!text.empty()) {
        const std::size_t length = character_bytes(text);
        if (clean.size() + std::max<std::size_t>(length, 1) > reason_bytes_max) break;
        if (length == 0) {
            clean += '?';
        } else if (static_cast<std::uint8_t>(text[0]) < 0x20 || text[0] == 0x7F) {
            clean += ' ';
        } else {
            clean += text.substr(0, length);
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return clean;
}

std::string reason_of(const std::exception& failure) {
    if (const auto* refused = dynamic_cast<const pg::SqlError*>(&failure)) {
        std::string reason = "database refused, SQLSTATE ";
        reason += refused->sqlstate();
        if (!refused->constraint().empty()) {
            reason += ", constraint ";
            reason += refused->constraint();
        }
        if (!refused->data_error()) {
            reason += ": ";
            reason += refused->what();
        }
        return clean_reason(reason);
    }
    return clean_reason(failure.what());
}

}  // namespace rollcall::jobs
