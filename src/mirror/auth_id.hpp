// The id that a Clerk user has in Supabase Auth: worked out from the Clerk id, so that a POST whose
// answer was lost is found again, and that anybody can name it, in SQL too:
//   uuid_generate_v5(uuid_generate_v5(uuid_ns_url(), 'urn:rollcall:clerk-user'), clerk_id)
// An Auth user who was there before and was adopted keeps the id they have.
#pragma once

#include <string>
#include <string_view>

namespace rollcall::mirror {

[[nodiscard]] std::string auth_id_of(std::string_view clerk_id);

// The address of an Auth user whose row has none any more. Nobody receives mail there (RFC 2606),
// and nobody else can have it; without an address Auth would keep the old one, and its next owner
// could sign in as this user.
[[nodiscard]] std::string placeholder_address(std::string_view auth_id);

}  // namespace rollcall::mirror
