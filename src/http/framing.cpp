#include "http/framing.hpp"

#include <fmt/format.h>

namespace rollcall::http {

std::string chunk_head(std::size_t bytes) {
    return fmt::format("{:x}\r\n", bytes);
}

}  // namespace rollcall::http
