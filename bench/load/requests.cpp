#include "requests.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <ctime>
#include <iterator>
#include <stdexcept>

namespace rollcall::bench {

namespace {

using Digest = std::array<unsigned char, 32>;

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

Digest hmac_sha256(std::string_view key, std::string_view text) {
    Digest digest{};
    unsigned int length = 0;
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(text), text.size(),
             digest.data(), &length) == nullptr) {
        throw std::runtime_error("HMAC failed");
    }
    return digest;
}

std::string base64(const Digest& digest) {
    std::string text(44, '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), digest.data(),
                    static_cast<int>(digest.size()));
    return text;
}

std::string hex(const Digest& digest) {
    std::string text;
    for (const unsigned char byte : digest) {
        fmt::format_to(std::back_inserter(text), "{:02x}", byte);
    }
    return text;
}

std::string svix_key(std::string_view secret) {
    constexpr std::string_view prefix = "whsec_";
    if (!secret.starts_with(prefix)) {
        throw std::runtime_error("the svix secret does not start with whsec_");
    }
    secret.remove_prefix(prefix.size());
    std::string key(secret.size(), '\0');
    const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(key.data()),
                                       bytes_of(secret), static_cast<int>(secret.size()));
    if (length < 0) {
        throw std::runtime_error("the svix secret is not base64");
    }
    key.resize(static_cast<std::size_t>(length));
    while (secret.ends_with('=')) {  // EVP_DecodeBlock counts the padding as bytes
        key.pop_back();
        secret.remove_suffix(1);
    }
    return key;
}

std::string svix_headers(std::string_view key, std::string_view id, std::int64_t now,
                         std::string_view body) {
    const std::string signature = base64(hmac_sha256(key, fmt::format("{}.{}.{}", id, now, body)));
    return fmt::format("svix-id: {}\r\nsvix-timestamp: {}\r\nsvix-signature: v1,{}\r\n", id, now,
                       signature);
}

std::string stripe_header(std::string_view key, std::int64_t now, std::string_view body) {
    return fmt::format("stripe-signature: t={},v1={}\r\n", now,
                       hex(hmac_sha256(key, fmt::format("{}.{}", now, body))));
}

}  // namespace

Requests::Requests(const EventTemplate& events, const Signing& signing, const std::string& path,
                   std::uint64_t first, std::size_t count)
    : count_(count) {
    const bool forged = signing.scheme == "forged";
    const bool svix = signing.scheme == "svix" || forged;
    const std::string key = forged ? "a guess" : svix ? svix_key(signing.secret) : signing.secret;
    const std::int64_t now = std::time(nullptr);
    ends_.reserve(count);
    for (std::uint64_t user = first; user < first + count; ++user) {
        const std::string body = events.body(user);
        const std::string headers =
            svix ? svix_headers(key, "msg_2g7np7Hrk0SN6kj5" + user_number(user), now, body)
                 : stripe_header(key, now, body);
        fmt::format_to(std::back_inserter(bytes_),
                       "POST {} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: Svix-Webhooks/1.70.0\r\n"
                       "accept: */*\r\ncontent-type: application/json\r\n{}content-length: {}\r\n"
                       "\r\n{}",
                       path, headers, body.size(), body);
        if (ends_.empty()) {
            bytes_.reserve((bytes_.size() + 64) * count);
        }
        ends_.push_back(bytes_.size());
    }
}

Requests::Requests(std::string heads, std::size_t count) : count_(count), bytes_(std::move(heads)) {
    constexpr std::string_view end = "\r\n\r\n";
    for (std::size_t at = 0; (at = bytes_.find(end, at)) != std::string::npos;) {
        ends_.push_back(at += end.size());
    }
    if (ends_.empty() || ends_.back() != bytes_.size()) {
        throw std::runtime_error("the last request does not end with an empty line");
    }
}

std::string_view Requests::at(std::size_t index) const {
    index %= ends_.size();
    const std::size_t start = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(bytes_).substr(start, ends_[index] - start);
}

}  // namespace rollcall::bench
