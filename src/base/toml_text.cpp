#include "base/toml_text.hpp"

#include "base/json.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>

namespace rollcall {
namespace {

bool has_escaped_tilde(std::string_view text) {
    for (const std::string_view escape :
         {"\\u007E", "\\u007e", "\\U0000007E", "\\U0000007e", "\\x7E", "\\x7e"}) {
        if (text.contains(escape)) return true;
    }
    return false;
}

}  // namespace

std::expected<std::string, std::string_view> toml_in_ascii(std::string_view text) {
    if (!is_utf8(text)) return std::unexpected("the file is not UTF-8");
    if (has_escaped_tilde(text)) return std::unexpected("write ~ itself, not as an escape");
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<std::uint8_t>(c);
        if (byte < 0x80 && c != '~') {
            out += c;
        } else {
            out += fmt::format("~{:02X}", byte);
        }
    }
    return out;
}

std::string toml_restored(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        unsigned byte = 0;
        const std::string_view digits = text.substr(at + 1, 2);
        if (text[at] == '~' && digits.size() == 2 &&
            std::from_chars(digits.begin(), digits.end(), byte, 16).ptr == digits.end()) {
            out += static_cast<char>(byte);
            at += 2;
        } else {
            out += text[at];
        }
    }
    return out;
}

}  // namespace rollcall
