#include "crypto/rsa_signing_key.hpp"

#include "crypto/digest.hpp"
#include "crypto/openssl_handles.hpp"
#include "crypto/verify_key.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <utility>

namespace rollcall::crypto {
namespace {

constexpr std::size_t pem_bytes_max = 16UL * 1024;
constexpr int modulus_bits = 2048;

std::unexpected<Error> refused(std::string message) {
    ERR_clear_error();
    return fail(ErrorCode::invalid_input, std::move(message));
}

// Never asks anybody for a passphrase.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) {
    return -1;
}

std::string public_pem_of(EVP_PKEY* key) {
    const BioHandle bio(BIO_new(BIO_s_mem()));
    ensure(bio && PEM_write_bio_PUBKEY(bio.get(), key) == 1, "PEM_write_bio_PUBKEY");
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

}  // namespace

struct RsaSigningKey::State {
    KeyHandle key;
    KeyContext context;
    std::string pem, members;

    // Nothing when no verifier here would take what it signs.
    static Result<std::unique_ptr<State>> of(KeyHandle key) {
        auto state = std::make_unique<State>();
        state->pem = public_pem_of(key.get());
        const auto open = VerifyKey::from_pem(state->pem);
        if (!open) return std::unexpected(open.error());
        state->members = open->members();
        const KeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
        if (!check || EVP_PKEY_pairwise_check(check.get()) != 1) {
            return refused("a private key that does not belong to its public key");
        }
        state->context.reset(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
        ensure(state->context && EVP_PKEY_sign_init(state->context.get()) == 1 &&
                   EVP_PKEY_CTX_set_rsa_padding(state->context.get(), RSA_PKCS1_PADDING) == 1 &&
                   EVP_PKEY_CTX_set_signature_md(state->context.get(), EVP_sha256()) == 1,
               "a private key has a context");
        state->key = std::move(key);
        return state;
    }
};

RsaSigningKey::RsaSigningKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
RsaSigningKey::RsaSigningKey(RsaSigningKey&&) noexcept = default;
RsaSigningKey& RsaSigningKey::operator=(RsaSigningKey&&) noexcept = default;
RsaSigningKey::~RsaSigningKey() = default;

RsaSigningKey RsaSigningKey::make() {
    KeyHandle key(EVP_RSA_gen(modulus_bits));
    ensure(key != nullptr, "OpenSSL makes RSA keys");
    auto state = State::of(std::move(key));
    ensure(state.has_value(), "a key that was just made is good");
    return RsaSigningKey(*std::move(state));
}

Result<RsaSigningKey> RsaSigningKey::from_pem(const Secret& pem) {
    const std::string_view text = pem.reveal();
    if (text.size() > pem_bytes_max) return refused("a signing key that is too large");
    const BioHandle bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    ensure(bio != nullptr, "BIO_new_mem_buf");
    KeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (!key) return refused("a signing key must be an unencrypted PRIVATE KEY in PEM");
    if (EVP_PKEY_is_a(key.get(), "RSA") != 1) return refused("a signing key must be of RSA");
    auto state = State::of(std::move(key));
    if (!state) return std::unexpected(state.error());
    return RsaSigningKey(*std::move(state));
}

std::string RsaSigningKey::sign(std::string_view bytes) const {
    const Sha256 digest = sha256(bytes);
    std::size_t size = 0;
    ensure(EVP_PKEY_sign(state_->context.get(), nullptr, &size, digest.data(), digest.size()) == 1,
           "an RSA key knows the size of its signatures");
    std::string signature(size, '\0');
    ensure(EVP_PKEY_sign(state_->context.get(), reinterpret_cast<unsigned char*>(signature.data()),
                         &size, digest.data(), digest.size()) == 1,
           "an RSA key signs");
    signature.resize(size);
    return signature;
}

const std::string& RsaSigningKey::members() const {
    return state_->members;
}

const std::string& RsaSigningKey::public_pem() const {
    return state_->pem;
}

}  // namespace rollcall::crypto
