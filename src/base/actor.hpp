// Who does what the audit log tells of (docs/audit.md). A statement that runs functions which write
// entries makes it the transaction's setting `rollcall.actor` first.
#pragma once

#include <cstdint>
#include <string>

namespace rollcall {

struct Actor {
    enum class Kind : std::uint8_t {
        user,    // over the admin API
        cli,     // with the command line
        system,  // rollcall by itself
    };
    Kind kind = Kind::system;
    std::string name{};  // of the three the empty ones are not told
    std::string ip{};
    std::string request_id{};

    [[nodiscard]] std::string to_json() const;
};

}  // namespace rollcall
