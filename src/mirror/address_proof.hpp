// Whether a user has proven to Clerk that an address is theirs: anybody can enter any address
// there, and an Auth user goes by the address to whoever has it. Clerk is asked; where it cannot
// be, for want of a secret key, the event says so by which the user is known. Silence is no proof.
#pragma once

#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "pg/pool.hpp"

#include <cstdint>
#include <string>

namespace rollcall::mirror {

struct Proof {
    enum class Kind : std::uint8_t {
        given,
        refused,  // Clerk has not verified the address
        none,     // nobody can be asked, and no event that says so is kept
        later,    // Clerk is away, or says something newer of the user
    };
    Kind kind = Kind::none;
    std::string reason;  // of `later`; no personal data
};

class AddressProof {
public:
    // Both must outlive this. `clerk` may be null: no secret key.
    AddressProof(pg::Pool& pool, clerk::BackendApi* clerk) : pool_(pool), clerk_(clerk) {}

    Task<Proof> of(std::string clerk_id, std::string email);

private:
    Task<Proof> by_clerk(const std::string& clerk_id, const std::string& email);
    Task<Proof> by_event(const std::string& clerk_id, const std::string& email);

    pg::Pool& pool_;
    clerk::BackendApi* clerk_;
};

}  // namespace rollcall::mirror
