#include "crypto/signing_key.hpp"

#include "crypto/digest.hpp"
#include "crypto/encoding.hpp"
#include "crypto/openssl_handles.hpp"
#include "crypto/verify_key.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <array>
#include <optional>
#include <utility>

namespace rollcall::crypto {
namespace {

constexpr std::size_t coordinate_bytes = 32;
constexpr std::size_t shared_secret_bytes_min = 32;

std::unexpected<Error> refused(std::string message) {
    ERR_clear_error();
    return fail(ErrorCode::invalid_input, std::move(message));
}

std::string coordinate(EVP_PKEY* key, const char* name) {
    BIGNUM* number = nullptr;
    ensure(EVP_PKEY_get_bn_param(key, name, &number) == 1, "a key of P-256 has coordinates");
    const NumberHandle owned(number);
    std::string bytes(coordinate_bytes, '\0');
    ensure(BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()),
                        static_cast<int>(bytes.size())) == static_cast<int>(bytes.size()),
           "a coordinate has 32 bytes");
    return bytes;
}

std::string raw_of(const std::string& der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    const EcdsaSignature value(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
    ensure(value != nullptr, "OpenSSL's own signature is DER");
    std::string raw(2 * coordinate_bytes, '\0');
    auto* out = reinterpret_cast<unsigned char*>(raw.data());
    const int size = static_cast<int>(coordinate_bytes);
    ensure(BN_bn2binpad(ECDSA_SIG_get0_r(value.get()), out, size) == size &&
               BN_bn2binpad(ECDSA_SIG_get0_s(value.get()), out + size, size) == size,
           "r and s have 32 bytes");
    return raw;
}

// Never asks anybody for a passphrase.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) {
    return -1;
}

bool is_p256(EVP_PKEY* key) {
    std::array<char, 64> group{};
    return EVP_PKEY_is_a(key, "EC") == 1 &&
           EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) == 1 &&
           std::string_view(group.data()) == "prime256v1";
}

}  // namespace

struct SigningKey::State {
    KeyHandle key;
    KeyContext context;
    std::optional<HmacKey> hmac;
    std::string kid, jwk;

    // Nothing when the numbers are not those of a pair.
    static Result<std::unique_ptr<State>> of(KeyHandle key) {
        const auto open = VerifyKey::from_p256(coordinate(key.get(), OSSL_PKEY_PARAM_EC_PUB_X),
                                               coordinate(key.get(), OSSL_PKEY_PARAM_EC_PUB_Y));
        if (!open) return std::unexpected(open.error());
        const KeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
        if (!check || EVP_PKEY_pairwise_check(check.get()) != 1) {
            return refused("a private key that does not belong to its public key");
        }
        auto state = std::make_unique<State>();
        state->kid = open->thumbprint();
        state->jwk = open->members();
        state->jwk.pop_back();
        state->jwk += R"(,"alg":"ES256","kid":")" + state->kid + R"(","use":"sig"})";
        state->context.reset(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
        ensure(state->context && EVP_PKEY_sign_init(state->context.get()) == 1 &&
                   EVP_PKEY_CTX_set_signature_md(state->context.get(), EVP_sha256()) == 1,
               "a private key has a context");
        state->key = std::move(key);
        return state;
    }
};

SigningKey::SigningKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

SigningKey SigningKey::make() {
    KeyHandle key(EVP_EC_gen("prime256v1"));
    ensure(key != nullptr, "OpenSSL makes keys of P-256");
    auto state = State::of(std::move(key));
    ensure(state.has_value(), "a key that was just made is good");
    return SigningKey(*std::move(state));
}

Result<SigningKey> SigningKey::from_pem(const Secret& pem) {
    const std::string_view text = pem.reveal();
    if (text.size() > 16UL * 1024) return refused("a signing key that is too large");
    const BioHandle bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    ensure(bio != nullptr, "BIO_new_mem_buf");
    KeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (!key) return refused("a signing key must be an unencrypted PRIVATE KEY in PEM");
    if (!is_p256(key.get())) return refused("a signing key must be of P-256");
    auto state = State::of(std::move(key));
    if (!state) return std::unexpected(state.error());
    return SigningKey(*std::move(state));
}

Result<SigningKey> SigningKey::from_shared_secret(const Secret& secret) {
    if (secret.reveal().size() < shared_secret_bytes_min) {
        return refused("a secret for HS256 has at least 32 bytes");
    }
    auto state = std::make_unique<State>();
    state->hmac.emplace(secret.reveal());
    return SigningKey(std::move(state));
}

std::string_view SigningKey::algorithm() const {
    return state_->hmac ? "HS256" : "ES256";
}

std::string SigningKey::sign(std::string_view bytes) const {
    if (state_->hmac) {
        const Sha256 mac = state_->hmac->sign(bytes);
        return {reinterpret_cast<const char*>(mac.data()), mac.size()};
    }
    const Sha256 digest = sha256(bytes);
    std::string der(80, '\0');
    std::size_t size = der.size();
    ensure(EVP_PKEY_sign(state_->context.get(), reinterpret_cast<unsigned char*>(der.data()), &size,
                         digest.data(), digest.size()) == 1,
           "a key of P-256 signs");
    der.resize(size);
    return raw_of(der);
}

const std::string& SigningKey::kid() const {
    return state_->kid;
}

const std::string& SigningKey::public_jwk() const {
    return state_->jwk;
}

Secret SigningKey::to_pem() const {
    if (state_->hmac) return Secret();
    const BioHandle bio(BIO_new(BIO_s_secmem()));
    ensure(bio && PEM_write_bio_PKCS8PrivateKey(bio.get(), state_->key.get(), nullptr, nullptr, 0,
                                                nullptr, nullptr) == 1,
           "PEM_write_bio_PKCS8PrivateKey");
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return Secret(std::string(text, static_cast<std::size_t>(size)));
}

std::string SigningKey::issue(std::string_view payload) const {
    std::string header = R"({"alg":")" + std::string(algorithm()) + R"(","typ":"JWT")";
    if (!kid().empty()) header += R"(,"kid":")" + kid() + '"';
    header += '}';
    std::string token = base64url_encode(header) + '.' + base64url_encode(payload);
    const std::string signature = sign(token);
    token += '.' + base64url_encode(signature);
    return token;
}

}  // namespace rollcall::crypto
