#include "mirror/address_proof.hpp"

#include "clerk/event.hpp"
#include "jobs/original_event.hpp"
#include "mirror/sql.hpp"

#include <optional>
#include <variant>

namespace rollcall::mirror {

Task<Proof> AddressProof::of(std::string clerk_id, std::string email) {
    if (clerk_ == nullptr) co_return co_await by_event(clerk_id, email);
    co_return co_await by_clerk(clerk_id, email);
}

Task<Proof> AddressProof::by_clerk(const std::string& clerk_id, const std::string& email) {
    const auto user = co_await clerk_->get_user(clerk_id);
    if (!user) co_return Proof{Proof::Kind::later, user.error().message};
    if (!*user || (*user)->email != email) {
        co_return Proof{Proof::Kind::later, "Clerk says something newer of this user"};
    }
    co_return Proof{(*user)->email_verified ? Proof::Kind::given : Proof::Kind::refused, {}};
}

Task<Proof> AddressProof::by_event(const std::string& clerk_id, const std::string& email) {
    const pg::Rows told = co_await pool_.execute(sql::told_by, pg::Params().text(clerk_id));
    if (told.empty()) co_return Proof{};
    const auto bytes = jobs::exact_bytes(std::string(told.text(0, 0)));
    if (!bytes) co_return Proof{};
    clerk::EventParser parser;  // its memory is not worth keeping: an adoption is rare
    const clerk::Event event = parser.parse(*bytes);
    const auto* user = std::get_if<clerk::User>(&event.data);
    if (user == nullptr || user->id != clerk_id || user->email != email) co_return Proof{};
    co_return Proof{user->email_verified ? Proof::Kind::given : Proof::Kind::refused, {}};
}

}  // namespace rollcall::mirror
