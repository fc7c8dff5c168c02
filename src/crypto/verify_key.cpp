#include "crypto/verify_key.hpp"

#include "crypto/digest.hpp"
#include "crypto/encoding.hpp"
#include "crypto/openssl_handles.hpp"
#include "crypto/pem.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <array>
#include <utility>

namespace rollcall::crypto {
namespace {

constexpr std::size_t coordinate_bytes = 32;
constexpr int modulus_bits_min = 2048;
constexpr int modulus_bits_max = 8192;
constexpr int exponent_bits_max = 64;

const unsigned char* data_of(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

std::unexpected<Error> refused(std::string message) {
    ERR_clear_error();
    return fail(ErrorCode::invalid_input, std::move(message));
}

NumberHandle number_of(std::string_view bytes) {
    NumberHandle number(BN_bin2bn(data_of(bytes), static_cast<int>(bytes.size()), nullptr));
    ensure(number != nullptr, "BN_bin2bn");
    return number;
}

std::string bytes_of(const BIGNUM* number) {
    std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
    BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
    return bytes;
}

// Whether a modulus bears the mark of CVE-2017-15361 (ROCA): made by a library whose primes are
// powers of 65537 by each of many small numbers, so that they can be found. One in 2^27
// others bears it by chance.
bool is_of_weak_primes(const BIGNUM* modulus) {
    static constexpr std::array<BN_ULONG, 38> primes{
        3,  5,  7,  11, 13, 17,  19,  23,  29,  31,  37,  41,  43,  47,  53,  59,  61,  67,  71,
        73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};
    for (const BN_ULONG prime : primes) {
        const BN_ULONG wanted = BN_mod_word(modulus, prime);
        BN_ULONG power = 1;
        BN_ULONG tries = 0;
        while (power != wanted && tries++ < prime) power = power * 65537 % prime;
        if (power != wanted) return false;
    }
    return true;
}

// Null when OpenSSL does not take them.
KeyHandle key_of(const char* type, ParamBuilder& builder) {
    const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    ensure(params && context && EVP_PKEY_fromdata_init(context.get()) == 1, "EVP_PKEY_fromdata");
    EVP_PKEY* key = nullptr;
    if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
        return nullptr;
    }
    return KeyHandle(key);
}

KeyContext context_of(EVP_PKEY* key, int padding) {
    KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
    bool good = context && EVP_PKEY_verify_init(context.get()) == 1;
    if (good && padding != 0) {
        good = EVP_PKEY_CTX_set_rsa_padding(context.get(), padding) == 1;
    }
    good = good && EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) == 1;
    if (good && padding == RSA_PKCS1_PSS_PADDING) {
        // RFC 7518 section 3.5: MGF1 with SHA-256, a salt of the hash's size.
        good = EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), EVP_sha256()) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(context.get(), RSA_PSS_SALTLEN_DIGEST) == 1;
    }
    ensure(good, "a public key has a context");
    return context;
}

// ECDSA-Sig-Value of r and s; "" when one of them is zero.
std::string der_of(std::string_view raw) {
    auto r = number_of(raw.substr(0, coordinate_bytes));
    auto s = number_of(raw.substr(coordinate_bytes));
    if (BN_is_zero(r.get()) || BN_is_zero(s.get())) return "";
    const EcdsaSignature value(ECDSA_SIG_new());
    ensure(value && ECDSA_SIG_set0(value.get(), r.release(), s.release()) == 1, "ECDSA_SIG");
    std::string der(80, '\0');
    auto* end = reinterpret_cast<unsigned char*>(der.data());
    const int size = i2d_ECDSA_SIG(value.get(), &end);
    ensure(size > 0 && static_cast<std::size_t>(size) <= der.size(), "i2d_ECDSA_SIG");
    der.resize(static_cast<std::size_t>(size));
    return der;
}

// "" unless it is a named number of the key.
std::string number_in(EVP_PKEY* key, const char* name) {
    BIGNUM* number = nullptr;
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1) return "";
    const NumberHandle owned(number);
    return bytes_of(number);
}

std::string padded(std::string bytes) {
    if (bytes.size() < coordinate_bytes) {
        bytes.insert(0, coordinate_bytes - bytes.size(), '\0');
    }
    return bytes;
}

}  // namespace

std::string_view to_string(Algorithm algorithm) {
    switch (algorithm) {
        case Algorithm::rs256:
            return "RS256";
        case Algorithm::es256:
            return "ES256";
        case Algorithm::ps256:
            return "PS256";
    }
    return "";
}

std::optional<Algorithm> parse_algorithm(std::string_view name) {
    for (const auto algorithm : {Algorithm::rs256, Algorithm::es256, Algorithm::ps256}) {
        if (name == to_string(algorithm)) return algorithm;
    }
    return std::nullopt;
}

struct VerifyKey::State {
    KeyHandle key;
    std::array<KeyContext, 3> contexts;  // by Algorithm; null: not served
    std::string members;

    KeyContext& context(Algorithm algorithm) {
        return contexts[static_cast<std::size_t>(algorithm)];
    }
};

VerifyKey::VerifyKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
VerifyKey::VerifyKey(VerifyKey&&) noexcept = default;
VerifyKey& VerifyKey::operator=(VerifyKey&&) noexcept = default;
VerifyKey::~VerifyKey() = default;

Result<VerifyKey> VerifyKey::from_rsa(std::string_view modulus, std::string_view exponent) {
    if (modulus.size() > 2 * modulus_bits_max / 8 || exponent.size() > modulus_bits_max / 8) {
        return refused("an RSA key beyond 8192 bits");
    }
    const auto n = number_of(modulus);
    const auto e = number_of(exponent);
    const int bits = BN_num_bits(n.get());
    if (bits < modulus_bits_min) {
        return refused("an RSA key of " + std::to_string(bits) + " bits; 2048 is the least");
    }
    if (bits > modulus_bits_max) return refused("an RSA key beyond 8192 bits");
    if (BN_is_odd(n.get()) == 0) return refused("an RSA modulus that is even");
    if (is_of_weak_primes(n.get())) return refused("an RSA key of weak primes (CVE-2017-15361)");
    if (BN_num_bits(e.get()) < 2 || BN_is_odd(e.get()) == 0) {
        return refused("an RSA exponent that is even or below 3");
    }
    if (BN_num_bits(e.get()) > exponent_bits_max) {
        return refused("an RSA exponent beyond 64 bits");
    }
    ParamBuilder builder(OSSL_PARAM_BLD_new());
    ensure(builder && OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
               OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1,
           "OSSL_PARAM_BLD");
    auto state = std::make_unique<State>();
    state->key = key_of("RSA", builder);
    if (!state->key) return refused("no RSA key");
    state->context(Algorithm::rs256) = context_of(state->key.get(), RSA_PKCS1_PADDING);
    state->context(Algorithm::ps256) = context_of(state->key.get(), RSA_PKCS1_PSS_PADDING);
    state->members = R"({"e":")" + base64url_encode(bytes_of(e.get())) + R"(","kty":"RSA","n":")" +
                     base64url_encode(bytes_of(n.get())) + R"("})";
    return VerifyKey(std::move(state));
}

Result<VerifyKey> VerifyKey::from_p256(std::string_view x, std::string_view y) {
    if (x.size() != coordinate_bytes || y.size() != coordinate_bytes) {
        return refused("coordinates of P-256 have 32 bytes each");
    }
    std::string point = "\x04";
    point.append(x).append(y);
    ParamBuilder builder(OSSL_PARAM_BLD_new());
    ensure(builder &&
               OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                               "prime256v1", 0) == 1 &&
               OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY,
                                                point.data(), point.size()) == 1,
           "OSSL_PARAM_BLD");
    auto state = std::make_unique<State>();
    state->key = key_of("EC", builder);
    const KeyContext check(
        state->key ? EVP_PKEY_CTX_new_from_pkey(nullptr, state->key.get(), nullptr) : nullptr);
    if (!check || EVP_PKEY_public_check(check.get()) != 1) return refused("no point of P-256");
    state->context(Algorithm::es256) = context_of(state->key.get(), 0);
    state->members = R"({"crv":"P-256","kty":"EC","x":")" + base64url_encode(x) + R"(","y":")" +
                     base64url_encode(y) + R"("})";
    return VerifyKey(std::move(state));
}

Result<VerifyKey> VerifyKey::from_pem(std::string_view pem) {
    const auto der = public_key_der(pem);
    if (!der) return std::unexpected(der.error());
    const unsigned char* at = data_of(*der);
    const unsigned char* const end = at + der->size();
    const KeyHandle key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der->size())));
    if (!key || at != end) return refused("PEM: not the bytes of a public key");
    if (EVP_PKEY_is_a(key.get(), "RSA") == 1) {
        return from_rsa(number_in(key.get(), OSSL_PKEY_PARAM_RSA_N),
                        number_in(key.get(), OSSL_PKEY_PARAM_RSA_E));
    }
    std::array<char, 64> group{};
    if (EVP_PKEY_is_a(key.get(), "EC") == 1 &&
        EVP_PKEY_get_group_name(key.get(), group.data(), group.size(), nullptr) == 1 &&
        std::string_view(group.data()) == "prime256v1") {
        return from_p256(padded(number_in(key.get(), OSSL_PKEY_PARAM_EC_PUB_X)),
                         padded(number_in(key.get(), OSSL_PKEY_PARAM_EC_PUB_Y)));
    }
    return refused("PEM: a public key that is neither RSA nor of P-256");
}

bool VerifyKey::serves(Algorithm algorithm) const {
    return state_->context(algorithm) != nullptr;
}

void VerifyKey::only(Algorithm algorithm) {
    for (const auto other : {Algorithm::rs256, Algorithm::es256, Algorithm::ps256}) {
        if (other != algorithm) state_->context(other) = nullptr;
    }
}

bool VerifyKey::verify(Algorithm algorithm, std::string_view bytes,
                       std::string_view signature) const {
    const auto& context = state_->context(algorithm);
    if (!context) return false;
    std::string der;
    if (algorithm == Algorithm::es256) {
        if (signature.size() != 2 * coordinate_bytes) return false;
        der = der_of(signature);
        if (der.empty()) return false;
        signature = der;
    }
    const Sha256 digest = sha256(bytes);
    const bool good = EVP_PKEY_verify(context.get(), data_of(signature), signature.size(),
                                      digest.data(), digest.size()) == 1;
    if (!good) ERR_clear_error();  // else TLS would find it and take it for its own
    return good;
}

const std::string& VerifyKey::members() const {
    return state_->members;
}

std::string VerifyKey::thumbprint() const {
    const Sha256 digest = sha256(state_->members);
    return base64url_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace rollcall::crypto
