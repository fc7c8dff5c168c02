#include "mirror/holder.hpp"

#include "base/ascii.hpp"
#include "base/failpoint.hpp"
#include "base/log.hpp"
#include "mirror/auth_id.hpp"
#include "mirror/plan.hpp"

#include <utility>

namespace rollcall::mirror {
namespace {

using directory::Existence;

}  // namespace

Task<supabase::AuthResult<Holder>> Holders::make_way(std::string email, std::string clerk_id,
                                                     std::function<bool()> may_write) {
    auto found = co_await auth_.find(email);
    if (!found) co_return std::unexpected(std::move(found.error()));
    if (!*found) co_return Holder{};
    Holder holder{.kind = Holder::Kind::stands, .user = **std::move(found)};
    switch (owner_of(holder.user, clerk_id)) {
        case Owner::ours:
            holder.kind = Holder::Kind::ours;
            co_return holder;
        case Owner::nobody:
            holder.kind = Holder::Kind::unclaimed;
            co_return holder;
        case Owner::another:
            break;
    }
    const std::string& other = holder.user.clerk_id;
    const auto row = co_await outbox_.row(pool_, other);
    // Who is not known here may be another rollcall's, and have the address at their Clerk still.
    const bool known = row.existence != Existence::unknown;
    const bool keeps = row.existence == Existence::living && same_but_for_case(row.email, email);
    if (!known || keeps) co_return holder;
    // Whatever becomes of it, the other user's copy may not be what was last written there. Before
    // it, for this process may die in between; and after it, for their job may run in between.
    co_await outbox_.arm(pool_, std::span(&other, 1));
    const Doubt doubt = co_await copies_.doubt(other);
    if (!may_write()) {
        co_await copies_.heard(other, doubt);
        co_return std::unexpected(
            supabase::AuthError{.sent = false, .message = "the lease of this job was lost"});
    }
    const auto moved =
        co_await auth_.set_email(holder.user.id, placeholder_address(holder.user.id));
    failpoint("mirror.after_move");
    if (moved || !moved.error().outcome_unknown()) co_await copies_.heard(other, doubt);
    co_await outbox_.arm(pool_, std::span(&other, 1));
    // One that has gone meanwhile has no address either.
    if (!moved && moved.error().fault != supabase::AuthFault::not_found) {
        co_return std::unexpected(moved.error());
    }
    log::info("mirror_address_moved", {{"clerk_id", clerk_id}, {"from_clerk_id", other}});
    holder.kind = Holder::Kind::moved;
    co_return holder;
}

}  // namespace rollcall::mirror
