#include "sync/difference.hpp"

#include "base/json.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace rollcall::sync {
namespace {

std::string quoted(const std::optional<std::string>& value, std::string_view absent) {
    return value ? json_string(*value) : std::string(absent);
}

}  // namespace

std::string_view to_string(Difference::Kind kind) {
    switch (kind) {
        case Difference::Kind::missing:
            return "missing";
        case Difference::Kind::different:
            return "different";
        case Difference::Kind::extra:
            return "extra";
    }
    return "";
}

std::string to_text(const Difference& difference) {
    // The id came from Clerk or from the table: quoted only where it is not what ids look like.
    const bool plain = std::ranges::all_of(
        difference.clerk_id, [](char c) { return c > ' ' && c < '\x7f' && c != '"'; });
    std::string out = plain ? difference.clerk_id : json_string(difference.clerk_id);
    out += "  ";
    out += to_string(difference.kind);
    std::size_t width = 0;
    for (const auto& field : difference.fields) width = std::max(width, field.name.size());
    for (const auto& field : difference.fields) {
        out += fmt::format("\n  {:<{}}  {} -> {}", field.name, width, quoted(field.table, "NULL"),
                           quoted(field.clerk, "NULL"));
    }
    return out;
}

std::string to_json(const Difference& difference) {
    std::string out = fmt::format(R"({{"clerk_id":{},"kind":"{}","fields":{{)",
                                  json_string(difference.clerk_id), to_string(difference.kind));
    bool first = true;
    for (const auto& field : difference.fields) {
        if (!first) out += ',';
        first = false;
        out += fmt::format(R"({}:{{"table":{},"clerk":{}}})", json_string(field.name),
                           quoted(field.table, "null"), quoted(field.clerk, "null"));
    }
    return out += "}}";
}

}  // namespace rollcall::sync
