#include "base/actor.hpp"

#include "base/json.hpp"

#include <string_view>

namespace rollcall {
namespace {

std::string_view word(Actor::Kind kind) {
    switch (kind) {
        case Actor::Kind::user:
            return "user";
        case Actor::Kind::cli:
            return "cli";
        case Actor::Kind::system:
            break;
    }
    return "system";
}

}  // namespace

std::string Actor::to_json() const {
    std::string out = R"({"actor":)" + json_string(word(kind));
    const auto add = [&out](std::string_view key, const std::string& value) {
        if (value.empty()) return;
        out += ',';
        append_json_string(out, key);
        out += ':';
        append_json_string(out, value);
    };
    add("name", name);
    add("ip", ip);
    add("request_id", request_id);
    return out + "}";
}

}  // namespace rollcall
