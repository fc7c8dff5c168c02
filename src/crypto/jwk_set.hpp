// A published set of keys (RFC 7517). It is taken whole or not at all: a set that names two keys
// alike, or shows what must never be public, says that its publisher is not to be trusted with
// either. A single key that cannot serve here (another type, curve, use or algorithm, a weak one)
// is left out, as section 5 has it, and the reason kept. x5c, x5u and the like are never read.
#pragma once

#include "crypto/verify_key.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::crypto {

// Why a whole set is refused. `symmetric_key` and `private_key` are an alarm: a secret is public.
enum class JwkSetFault : std::uint8_t {
    too_large,
    not_json,  // or a name twice, or nested too deeply
    not_a_set,
    too_many_keys,
    duplicate_kid,
    symmetric_key,
    private_key,
    no_usable_key,
};

[[nodiscard]] std::string_view to_string(JwkSetFault fault);  // the enumerator's name
[[nodiscard]] std::string_view describe(JwkSetFault fault);   // a sentence for messages

class JwkSet {
public:
    static constexpr std::size_t bytes_max = 256UL * 1024;
    static constexpr std::size_t keys_max = 32;
    static constexpr std::size_t kid_bytes_max = 256;

    static std::expected<JwkSet, JwkSetFault> parse(std::string_view text);
    // One key that is known by itself: it answers to every kid.
    static JwkSet pinned(VerifyKey key);

    // Valid as long as the set is; null: there is none.
    [[nodiscard]] const VerifyKey* find(std::string_view kid) const;
    // The one key of a set that has no other, whatever its name; null when there are several.
    [[nodiscard]] const VerifyKey* sole() const;
    [[nodiscard]] std::size_t size() const { return keys_.size(); }
    [[nodiscard]] std::vector<std::string> kids() const;
    [[nodiscard]] bool shares_key_with(const JwkSet& other) const;  // by kid

    struct LeftOut {
        std::string kid;
        std::string why;
    };
    [[nodiscard]] const std::vector<LeftOut>& left_out() const { return left_out_; }

private:
    struct Named {
        std::string kid;  // "": none
        VerifyKey key;
    };
    class Reader;

    std::vector<Named> keys_;
    std::vector<LeftOut> left_out_;
    bool pinned_ = false;
};

}  // namespace rollcall::crypto
