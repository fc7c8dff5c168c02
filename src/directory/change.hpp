// A change of one user, and what came of it. The state of a user is the newest snapshot by version,
// and a flag "deleted" that only a read of Clerk takes back: so changes may come in any order, any
// number of times.
#pragma once

#include "base/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace rollcall::directory {

// What is mirrored of a user, with Clerk's updated_at.
struct Snapshot {
    std::int64_t version = 0;
    std::optional<std::string> email;
    std::optional<std::string> name;
    std::string role;  // one of the configured
    bool banned = false;
    bool locked = false;
    std::optional<SystemTime> clerk_created_at;
};

struct Deletion {
    SystemTime deleted_at;
};

// What Clerk said when it was asked. `asked_at` is the database's time from before the question.
struct Read {
    std::string clerk_id;
    std::variant<Snapshot, Deletion> state;
    SystemTime asked_at;
};

enum class Outcome : std::uint8_t {
    applied,     // the row now has this snapshot
    deleted,     // the user is deleted now
    unchanged,   // known already; nothing was written
    superseded,  // something newer is known
    tie,         // same version, other content: Clerk is asked (a REFRESH_USER job)
    conflict,    // somebody else's row holds the e-mail; nothing was written
    unusable,    // names no user
};
[[nodiscard]] std::string_view to_string(Outcome outcome);
[[nodiscard]] std::optional<Outcome> parse_outcome(std::string_view name);

}  // namespace rollcall::directory
