#include "cli/input.hpp"

#include "http/upstream_url.hpp"

#include <fmt/format.h>
#include <fstream>
#include <iostream>
#include <iterator>

namespace rollcall::cli {
namespace {
constexpr std::size_t input_bytes_max = 64 * 1024 * 1024;
}

Result<std::string> read_input(const std::string& path) {
    std::ifstream file;
    if (path != "-") {
        file.open(path, std::ios::binary);
        if (!file) return fail(ErrorCode::invalid_input, fmt::format("cannot read {}", path));
    }
    std::istream& in = path == "-" ? std::cin : file;
    std::string bytes;
    char buffer[65536];
    while (in.read(buffer, sizeof buffer) || in.gcount() > 0) {
        bytes.append(buffer, static_cast<std::size_t>(in.gcount()));
        if (bytes.size() > input_bytes_max) {
            return fail(ErrorCode::invalid_input, fmt::format("{} is larger than 64 MiB", path));
        }
    }
    // A directory can be opened, but not read.
    if (in.bad()) return fail(ErrorCode::invalid_input, fmt::format("cannot read {}", path));
    return bytes;
}

std::string check_url(const std::string& text) {
    if (text.empty()) return {};
    const auto url = http::parse_upstream_url(text);
    return url ? std::string() : url.error().message;
}

}  // namespace rollcall::cli
