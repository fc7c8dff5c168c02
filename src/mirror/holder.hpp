// Who has an address in Supabase Auth that one of our users is to have. Where that is the copy of
// another user whose row has it no more (they swapped, or one handed it on), the copy lets it go at
// once: changes of several users then converge in whatever order they are mirrored.
#pragma once

#include "base/task.hpp"
#include "directory/outbox.hpp"
#include "mirror/copies.hpp"
#include "pg/pool.hpp"
#include "supabase/auth_api.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace rollcall::mirror {

struct Holder {
    enum class Kind : std::uint8_t {
        nobody,     // it is free by now
        ours,       // an Auth user of this Clerk user
        unclaimed,  // an Auth user of no Clerk user: the application's, or of before rollcall
        moved,      // another user's copy has let it go
        stands,     // another user's whose row has it too, or who is not known here
    };
    Kind kind = Kind::nobody;
    supabase::AuthUser user;  // but for nobody
};

class Holders {
public:
    // All references must outlive this.
    Holders(pg::Pool& pool, const directory::Outbox& outbox, Copies& copies,
            supabase::AuthApi& auth)
        : pool_(pool), outbox_(outbox), copies_(copies), auth_(auth) {}

    // `may_write` is asked before another's copy is changed; when it says no, nothing is.
    // The other user's copy is looked at again, by their own job.
    Task<supabase::AuthResult<Holder>> make_way(std::string email, std::string clerk_id,
                                                std::function<bool()> may_write);

private:
    pg::Pool& pool_;
    const directory::Outbox& outbox_;
    Copies& copies_;
    supabase::AuthApi& auth_;
};

}  // namespace rollcall::mirror
