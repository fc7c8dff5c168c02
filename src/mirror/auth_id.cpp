#include "mirror/auth_id.hpp"

#include "crypto/digest.hpp"

namespace rollcall::mirror {
namespace {

// RFC 9562's namespace of URLs.
constexpr Uuid urls{{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f,
                     0xd4, 0x30, 0xc8}};

}  // namespace

std::string auth_id_of(std::string_view clerk_id) {
    static const Uuid clerk_users = crypto::uuid_v5(urls, "urn:rollcall:clerk-user");
    return to_string(crypto::uuid_v5(clerk_users, clerk_id));
}

std::string placeholder_address(std::string_view auth_id) {
    return std::string(auth_id) + "@rollcall.invalid";
}

}  // namespace rollcall::mirror
