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

std::expected<JwsHeader, JwsRefusal> parse_header(std::string_view text) {
    static thread_local StrictJson json;  // a new one's buffers cost more than a header
    const auto root = json.parse(text);
    if (!root) return malformed("the header is no JSON with one meaning");
    simdjson::dom::object object;
    if (root->get_object().get(object) != simdjson::SUCCESS) {
        return malformed("the header is no JSON object");
    }
    for (const std::string_view name : refused_members) {
        if (member(object, name)) {
            return malformed("the header has crit, zip, cty, b64 or enc: none is understood here");
        }
    }
    JwsHeader header;
    std::optional<std::string> alg;
    if (!read_text(object, "alg", alg) || !alg) return malformed("the header has no alg");
    header.alg = *std::move(alg);
    if (!read_text(object, "kid", header.kid) || !read_text(object, "typ", header.typ) ||
        !read_text(object, "cat", header.cat)) {
        return malformed("kid, typ or cat of the header is no string");
    }
    return header;
}

std::unexpected<JwsRefusal> not_base64url() {
    return malformed("a part is not base64url without padding");
}

std::expected<std::shared_ptr<const JwsHeader>, JwsRefusal> read_header(std::string_view digits) {
    // Tokens of one key have the same header, byte for byte.
    static thread_local struct {
        std::string digits;
        std::shared_ptr<const JwsHeader> header;
    } last;
    if (!digits.empty() && digits == last.digits) return last.header;
    const auto text = base64url_decode(digits);
    if (!text) return not_base64url();
    auto header = parse_header(*text);
    if (!header) return std::unexpected(header.error());
    last = {.digits = std::string(digits),
            .header = std::make_shared<const JwsHeader>(*std::move(header))};
    return last.header;
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
    auto header = read_header(token.substr(0, first));
    if (!header) return std::unexpected(header.error());
    auto payload = base64url_decode(token.substr(first + 1, second - first - 1));
    auto signature = base64url_decode(token.substr(second + 1));
    if (!payload || !signature) return not_base64url();
    return Jws{.header = *std::move(header),
               .signed_bytes = token.substr(0, second),
               .payload = *std::move(payload),
               .signature = *std::move(signature)};
}

}  // namespace rollcall::crypto
