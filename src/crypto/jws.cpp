#include "crypto/jws.hpp"

#include "base/json_document.hpp"
#include "crypto/encoding.hpp"
#include "crypto/strict_json.hpp"

#include <array>
#include <utility>

namespace rollcall::crypto {
namespace {

constexpr std::array<std::string_view, 5> refused_members{"crit", "zip", "cty", "b64", "enc"};

std::unexpected<JwsRefusal> malformed(std::string_view detail) {
    return std::unexpected(JwsRefusal{JwsFault::malformed, detail});
}

// False when it is there and no string.
bool read_text(const simdjson::dom::object& header, std::string_view name,
               std::optional<std::string>& into) {
    const auto value = member(header, name);
    if (!value) return true;
    const auto text = as_string(*value);
    if (!text) return false;
    into = std::string(*text);
    return true;
}

std::expected<void, JwsRefusal> read_header(std::string_view text, Jws& jws) {
    static thread_local StrictJson json;  // a new one's buffers cost more than a header
    const auto root = json.parse(text);
    if (!root) return malformed("the header is no JSON with one meaning");
    simdjson::dom::object header;
    if (root->get_object().get(header) != simdjson::SUCCESS) {
        return malformed("the header is no JSON object");
    }
    for (const std::string_view name : refused_members) {
        if (member(header, name)) {
            return malformed("the header has crit, zip, cty, b64 or enc: none is understood here");
        }
    }
    std::optional<std::string> alg;
    if (!read_text(header, "alg", alg) || !alg) return malformed("the header has no alg");
    jws.alg = *std::move(alg);
    if (!read_text(header, "kid", jws.kid) || !read_text(header, "typ", jws.typ) ||
        !read_text(header, "cat", jws.cat)) {
        return malformed("kid, typ or cat of the header is no string");
    }
    return {};
}

}  // namespace

std::expected<Jws, JwsRefusal> read_compact(std::string_view token) {
    if (token.size() > token_bytes_max) {
        return std::unexpected(JwsRefusal{JwsFault::too_large, "larger than 8 KiB"});
    }
    const std::size_t first = token.find('.');
    const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
    if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
        return malformed("not three parts with dots between them");
    }
    const auto header = base64url_decode(token.substr(0, first));
    auto payload = base64url_decode(token.substr(first + 1, second - first - 1));
    auto signature = base64url_decode(token.substr(second + 1));
    if (!header || !payload || !signature) {
        return malformed("a part is not base64url without padding");
    }
    Jws jws;
    jws.signed_bytes = token.substr(0, second);
    jws.payload = *std::move(payload);
    jws.signature = *std::move(signature);
    if (const auto read = read_header(*header, jws); !read) return std::unexpected(read.error());
    return jws;
}

}  // namespace rollcall::crypto
