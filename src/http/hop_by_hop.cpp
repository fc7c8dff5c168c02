#include "http/hop_by_hop.hpp"

#include "base/ascii.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace rollcall::http {
namespace {

constexpr std::array<std::string_view, 10> of_one_connection{"connection",
                                                             "keep-alive",
                                                             "proxy-authenticate",
                                                             "proxy-authorization",
                                                             "proxy-connection",
                                                             "te",
                                                             "trailer",
                                                             "transfer-encoding",
                                                             "upgrade",
                                                             "http2-settings"};

constexpr auto folded_bytes = [] {
    std::array<char, 256> bytes{};
    bytes.fill('-');
    for (char c = '0'; c <= '9'; ++c) bytes.at(static_cast<std::uint8_t>(c)) = c;
    for (char c = 'a'; c <= 'z'; ++c) bytes.at(static_cast<std::uint8_t>(c)) = c;
    for (char c = 'A'; c <= 'Z'; ++c) bytes.at(static_cast<std::uint8_t>(c)) = to_lower(c);
    return bytes;
}();

char folded(char c) {
    return folded_bytes[static_cast<std::uint8_t>(c)];
}

template <class Same>
bool lists(std::string_view list, std::string_view token, Same same) {
    while (!list.empty()) {
        const std::size_t end = std::min(list.find(','), list.size());
        if (same(trimmed(list.substr(0, end)), token)) return true;
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return false;
}

bool is_named(std::string_view name, const Fields& fields) {
    return std::ranges::any_of(fields.all(), [&](const Fields::Field& field) {
        return same_name(field.first, "Connection") && lists(field.second, name, same_folded_name);
    });
}

}  // namespace

bool has_token(std::string_view list, std::string_view token) {
    return lists(list, token, same_name);
}

bool same_folded_name(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, folded, folded);
}

Fields end_to_end(const Fields& fields) {
    Fields out;
    for (const auto& [name, value] : fields.all()) {
        const bool ends_here = std::ranges::any_of(of_one_connection, [&](std::string_view known) {
            return same_folded_name(name, known);
        });
        if (!ends_here && !is_named(name, fields)) out.add(name, value);
    }
    return out;
}

bool upgrades_to_websocket(const Fields& fields) {
    const bool asks = std::ranges::any_of(fields.all(), [](const Fields::Field& field) {
        return same_name(field.first, "Connection") && has_token(field.second, "upgrade");
    });
    return asks && fields.count("Upgrade") == 1 && same_name(*fields.get("Upgrade"), "websocket");
}

}  // namespace rollcall::http
