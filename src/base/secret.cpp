#include "base/secret.hpp"

#include <openssl/crypto.h>

namespace rollcall {
namespace {

// Over the whole capacity: a move leaves the bytes of a short string behind in the source.
void wipe(std::string& value) {
    value.resize(value.capacity());
    OPENSSL_cleanse(value.data(), value.size());
    value.clear();
}

}  // namespace

Secret::Secret(Secret&& other) noexcept : value_(std::move(other.value_)) {
    wipe(other.value_);
}

Secret& Secret::operator=(const Secret& other) {
    if (this != &other) {
        wipe(value_);
        value_ = other.value_;
    }
    return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this != &other) {
        wipe(value_);
        value_ = std::move(other.value_);
        wipe(other.value_);
    }
    return *this;
}

Secret::~Secret() {
    wipe(value_);
}

std::string Secret::masked() const {
    if (value_.empty()) return "";
    // Of a short one, four characters would be a good part.
    return value_.size() < 16 ? "****" : value_.substr(0, 4) + "****";
}

}  // namespace rollcall
