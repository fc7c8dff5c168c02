#include "crypto/digest.hpp"

#include "base/result.hpp"
#include "crypto/openssl_handles.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <algorithm>
#include <limits>
#include <utility>

namespace rollcall::crypto {
namespace {

const unsigned char* data_of(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

EVP_MAC_CTX* context_of(void* context) {
    return static_cast<EVP_MAC_CTX*>(context);
}

}  // namespace

std::string library_version() {
    return OpenSSL_version(OPENSSL_VERSION_STRING);
}

Sha256 sha256(std::string_view bytes) {
    // Made once: to fetch the algorithm, and to make a context, costs more than a short input.
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    static thread_local const DigestContext context(EVP_MD_CTX_new());
    Sha256 digest{};
    unsigned size = 0;
    ensure(EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1 &&
               EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
               EVP_DigestFinal_ex(context.get(), digest.data(), &size) == 1 &&
               size == digest.size(),
           "SHA-256 is there");
    return digest;
}

Sha1 sha1(std::string_view bytes) {
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA1", nullptr);
    Sha1 digest{};
    unsigned size = 0;
    ensure(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, algorithm, nullptr) == 1 &&
               size == digest.size(),
           "SHA-1 is there");
    return digest;
}

Uuid uuid_v5(const Uuid& name_space, std::string_view name) {
    std::string bytes(std::begin(name_space.bytes), std::end(name_space.bytes));
    bytes += name;
    const Sha1 digest = sha1(bytes);
    Uuid uuid{};
    std::copy_n(digest.begin(), std::size(uuid.bytes), std::begin(uuid.bytes));
    uuid.bytes[6] = static_cast<std::uint8_t>(0x50U | (uuid.bytes[6] & 0x0FU));
    uuid.bytes[8] = static_cast<std::uint8_t>(0x80U | (uuid.bytes[8] & 0x3FU));
    return uuid;
}

HmacKey::HmacKey(std::string_view key) {
    static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    ensure(algorithm != nullptr, "HMAC is there");
    char digest_name[] = "SHA256";
    const std::array<OSSL_PARAM, 2> params{
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
        OSSL_PARAM_construct_end()};
    context_ = EVP_MAC_CTX_new(algorithm);
    // OpenSSL takes a null key for "the one set before".
    const std::string_view bytes = key.data() == nullptr ? std::string_view("") : key;
    ensure(context_ != nullptr &&
               EVP_MAC_init(context_of(context_), data_of(bytes), bytes.size(), params.data()) == 1,
           "HMAC-SHA256 takes the key");
}

HmacKey::~HmacKey() {
    EVP_MAC_CTX_free(context_of(context_));
}

HmacKey::HmacKey(HmacKey&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}

HmacKey& HmacKey::operator=(HmacKey&& other) noexcept {
    std::swap(context_, other.context_);
    return *this;
}

Sha256 HmacKey::sign(std::string_view a, std::string_view b, std::string_view c) const {
    ensure(context_ != nullptr, "HmacKey used after it was moved");
    EVP_MAC_CTX* context = EVP_MAC_CTX_dup(context_of(context_));
    ensure(context != nullptr, "EVP_MAC_CTX_dup");
    bool good = true;
    for (const std::string_view piece : {a, b, c}) {
        good =
            good && (piece.empty() || EVP_MAC_update(context, data_of(piece), piece.size()) == 1);
    }
    Sha256 mac{};
    std::size_t size = 0;
    good = good && EVP_MAC_final(context, mac.data(), &size, mac.size()) == 1;
    EVP_MAC_CTX_free(context);
    ensure(good && size == mac.size(), "HMAC-SHA256");
    return mac;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_bytes(std::size_t count) {
    ensure(count <= static_cast<std::size_t>(std::numeric_limits<int>::max()),
           "random_bytes: count");
    std::string bytes(count, '\0');
    ensure(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) == 1,
           "the system gives random bytes");
    return bytes;
}

}  // namespace rollcall::crypto
