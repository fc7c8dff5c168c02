// How one user in the table differs from what Clerk says: for `sync --dry-run` and `audit`. Holds
// personal data: for the person who asked, never for the log. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::sync {

struct Difference {
    enum class Kind : std::uint8_t {
        missing,    // Clerk has the user, the table no living row
        different,  // both have, with other content
        extra,      // the table has a living row, Clerk no such user
    };
    struct Field {
        std::string name;                  // email, name, role, deleted, banned, locked
        std::optional<std::string> table;  // what is there; absent: NULL
        std::optional<std::string> clerk;  // what should be
        friend bool operator==(const Field&, const Field&) = default;
    };
    Kind kind = Kind::different;
    std::string clerk_id;
    std::vector<Field> fields;  // of `different`
    friend bool operator==(const Difference&, const Difference&) = default;
};

[[nodiscard]] std::string_view to_string(Difference::Kind kind);

// For a person, lines without an end-of-line at the last:
//   user_2abc  different
//     name   "Ann" -> "Anne"
//     email  NULL -> "ann@example.com"
[[nodiscard]] std::string to_text(const Difference& difference);
// {"clerk_id":…,"kind":…,"fields":{"name":{"table":…,"clerk":…}}}
[[nodiscard]] std::string to_json(const Difference& difference);

}  // namespace rollcall::sync
