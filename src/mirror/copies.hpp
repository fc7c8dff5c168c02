// What is known of each user's copy in Supabase Auth: rollcall.mirror_users. Every note names the
// job under which it was made, and is refused once that job is another worker's: a worker that was
// paused for too long cannot claim to have written anything.
#pragma once

#include "base/task.hpp"
#include "jobs/job.hpp"
#include "pg/pool.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::mirror {

// A write of a copy has begun whose end nobody has heard: until when it may still be carried out,
// and until when such a one that came before it. The database's times, in microseconds.
struct Doubt {
    std::optional<std::int64_t> until;
    std::optional<std::int64_t> before;
};

class Copies {
public:
    // The pool must outlive this. `late_max`: for how long Auth may take over a write, whoever has
    // given up waiting for it.
    explicit Copies(pg::Pool& pool, std::chrono::milliseconds late_max = std::chrono::minutes(1))
        : pool_(pool), late_max_(late_max) {}

    // Each but the next two is of the user `job.subject`; nothing, or false, is returned when the
    // job is not ours any more.

    // What is there is about to be changed: until `written` nobody knows what it is. Without this a
    // write whose answer is lost would stand when the row goes back to what was noted before it.
    Task<std::optional<Doubt>> writing(const jobs::Job& job);
    // The same for the copy of another user than the job's; and that the end of a write was heard.
    Task<Doubt> doubt(std::string_view clerk_id);
    Task<> heard(std::string_view clerk_id, const Doubt& doubt);
    // For how long an earlier write may still change the copy, after whatever is found there now.
    Task<std::optional<std::chrono::milliseconds>> unsure(const jobs::Job& job);
    // The Auth user has what the row had, by its `content_hash`. Where the row has changed
    // meanwhile, or the copy was touched, that does not count: it will be written again. So it must
    // be, too, where an earlier write may still come: after what is returned.
    Task<std::optional<std::chrono::milliseconds>> written(const jobs::Job& job,
                                                           std::string_view auth_id,
                                                           std::int64_t content_hash,
                                                           const Doubt& doubt);
    // An Auth user who was there is this user's from now on; noted before anything is written
    // there but perhaps a new password, so that whoever goes on after a crash knows whom it was.
    // `taken`: it is the copy of another Clerk user.
    enum class Adoption : std::uint8_t { noted, taken, lost };
    enum class Password : std::uint8_t { kept, replaced };
    Task<Adoption> adopt(const jobs::Job& job, std::string_view auth_id, Password password);
    // There is no copy, and why.
    Task<bool> skip(const jobs::Job& job, std::string_view auth_id, std::string_view reason);
    // There is no copy any more.
    Task<bool> forget(const jobs::Job& job);

    struct Counts {
        std::int64_t pending = 0;  // users whose copy is to be looked at
        std::int64_t dead = 0;     // of those given up
        std::int64_t skipped = 0;
    };
    Task<Counts> counts();

private:
    pg::Pool& pool_;
    std::chrono::milliseconds late_max_;
};

}  // namespace rollcall::mirror
