// Questions to Clerk: does this user exist, and how does it look? Nothing is thrown: no answer is
// an answer. A 404 counts only when it is said twice, with a key that is known to be of the right
// instance: the one that rollcall.sync_state names, or, where it names none yet, one that found a
// user of ours.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "clerk/user.hpp"
#include "directory/change.hpp"
#include "directory/column_map.hpp"
#include "pg/pool.hpp"
#include "sync/run.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace rollcall::sync {

struct ClerkAnswer {
    enum class Kind : std::uint8_t {
        user,
        no_such_user,
        no_id_of_clerks,  // nothing of Clerk's can have such an id
        unreachable,      // no answer, or none that counts; another time
    };
    Kind kind = Kind::unreachable;
    std::optional<clerk::User> user;
    SystemTime asked_at;                          // the database's time before the (last) question
    std::string reason;                           // of unreachable; no personal data
    RunFailure failure = RunFailure::clerk_away;  // of unreachable: what it is to a run
};

class ClerkReader {
public:
    // Both must outlive this.
    ClerkReader(pg::Pool& pool, clerk::BackendApi& clerk) : pool_(pool), clerk_(clerk) {}

    // `witness`: a user of ours that Clerk ought to know, the ledger's aside; "" for none. A signed
    // event is about one.
    Task<ClerkAnswer> ask(std::string clerk_id, std::string witness = "");
    // The key is known to be right: that need not be found out.
    void trust_key() { key_proven_ = true; }
    [[nodiscard]] bool trusts_key() const { return key_proven_; }

private:
    // none: it is right.
    Task<RunFailure> fault_of_key(const std::string& but, const std::string& witness);
    Task<std::optional<clerk::Instance>> instance_of_key();
    Task<> look_for_witness(const std::string& but, const std::string& witness);
    Task<> try_key(std::string clerk_id);

    pg::Pool& pool_;
    clerk::BackendApi& clerk_;
    bool key_proven_ = false;  // a key changes by a restart only
};

[[nodiscard]] directory::Snapshot snapshot_of(const clerk::User& user,
                                              const directory::ColumnMap& columns);

// The change that an answer is; of `user` and `no_such_user` only.
[[nodiscard]] directory::Read read_of(const ClerkAnswer& answer, std::string clerk_id,
                                      const directory::ColumnMap& columns);

}  // namespace rollcall::sync
