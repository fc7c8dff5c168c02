// A row of `job_queue`: a promise to do something. docs/jobs.md draws its states.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::jobs {

// PENDING -> PROCESSING -> COMPLETED | FAILED (dead letter) | CANCELLED; a retry goes back to
// PENDING with `run_at` ahead. Jobs that only touch the database skip PROCESSING: they are claimed,
// applied and completed in one transaction.
inline constexpr std::string_view user_created = "USER_CREATED";
inline constexpr std::string_view user_updated = "USER_UPDATED";
inline constexpr std::string_view user_deleted = "USER_DELETED";
inline constexpr std::string_view refresh_user = "REFRESH_USER";  // read one user from Clerk again
inline constexpr std::string_view unknown_event = "UNKNOWN_EVENT";  // kept for a person
inline constexpr std::string_view self_test = "SELF_TEST";          // of a deployment: does nothing
inline constexpr std::string_view mirror_user = "MIRROR_USER";  // make a user's copy as the row is
inline constexpr std::string_view revoke_session = "REVOKE_SESSION";  // Clerk has ended it

// The kinds that are rollcall's, as rollcall.own_types() has them. A job of any other kind belongs
// to an application that shares the table, and is left alone.
inline constexpr std::array own_kinds{user_created,  user_updated, user_deleted, refresh_user,
                                      unknown_event, self_test,    mirror_user,  revoke_session};
[[nodiscard]] constexpr bool is_own(std::string_view kind) {
    return std::ranges::find(own_kinds, kind) != own_kinds.end();
}

struct Job {
    std::string id;
    std::string kind;     // job_type
    std::string payload;  // JSON text
    std::string subject;  // Clerk id; "" when none
    std::string event_id;
    int attempt = 0;           // this one, 1 first
    int attempts_max = 0;      // of its own; 0: as configured
    std::int64_t version = 0;  // of the row when it was claimed; what it moves to meanwhile is news
    std::int64_t fence = 0;    // grows by one with every claim; completion needs the same
    std::chrono::milliseconds age{0};     // since it was created
    std::chrono::milliseconds waited{0};  // since it was due
    std::optional<std::string> original_event;
    std::string trace;  // traceparent; "" when the row says none: see trace_of()
};

}  // namespace rollcall::jobs
