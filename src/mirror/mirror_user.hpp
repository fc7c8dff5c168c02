// Makes the Auth user of one Clerk user equal to the row as it is now: the handler of MIRROR_USER
// jobs. A job says whom, never what, so that the order of jobs does not matter and one that is
// repeated does no harm. Supabase away is a retry that burns no attempt; what will not change by
// itself is a dead letter at once, naming both sides.
#pragma once

#include "base/task.hpp"
#include "clerk/backend_api.hpp"
#include "directory/outbox.hpp"
#include "jobs/job.hpp"
#include "jobs/outcome.hpp"
#include "mirror/address_proof.hpp"
#include "mirror/blame.hpp"
#include "mirror/copies.hpp"
#include "mirror/holder.hpp"
#include "mirror/metrics.hpp"
#include "pg/pool.hpp"
#include "supabase/auth_api.hpp"

#include <functional>

namespace rollcall::mirror {

struct Neighbours {
    pg::Pool& pool;
    const directory::Outbox& outbox;
    Copies& copies;
    supabase::AuthApi& auth;
    clerk::BackendApi* clerk;  // null without a secret key: nobody's phone number is known then
    Metrics& metrics;
};

class MirrorUser {
public:
    // All that `neighbours` refers to must outlive this. `holds`: whether the job's lease is still
    // ours, asked before each write, for Auth itself refuses no late one.
    MirrorUser(Neighbours neighbours, std::function<bool(const jobs::Job&)> holds);

    // For Worker::handle(jobs::mirror_user, …). Eight requests at most, but for the pages of a
    // search for an address.
    Task<jobs::Outcome> handle(const jobs::Job& job);

    // For WorkerConfig::on_lost. What this worker wrote may have come after what the next one did,
    // and Auth cannot tell: the user is looked at again, unless a person has cancelled the job.
    Task<> lost(const jobs::Job& job);

private:
    class Attempt;

    Neighbours neighbours_;
    std::function<bool(const jobs::Job&)> holds_;
    Holders holders_;
    AddressProof proof_;
    Blame blame_;
};

}  // namespace rollcall::mirror
