#include "sync/refusal.hpp"

#include <algorithm>
#include <array>

namespace rollcall::sync {

Refusal judge(const pg::SqlError& error) {
    if (error.transient() || error.unique_violation()) return Refusal::again;
    const std::string_view state = error.sqlstate();
    if (state.starts_with("22")) return Refusal::for_ever;
    const auto among = [&](const auto& groups) {
        return std::ranges::any_of(
            groups, [&](std::string_view group) { return state.starts_with(group); });
    };
    // Connections, resources, operators, the system: pg/ throws most of them as Unavailable.
    constexpr std::array<std::string_view, 4> servers{"08", "53", "57", "58"};
    if (among(servers)) return Refusal::server;
    // Features, states of cursors, transactions and statements, names and privileges, objects in
    // use, internal errors: of our statement, or inside a trigger that only this row sets off.
    constexpr std::array<std::string_view, 10> either{"0A", "24", "25", "26", "2D",
                                                      "3D", "3F", "42", "55", "XX"};
    return among(either) ? Refusal::undecided : Refusal::for_now;
}

bool own_fault(int attempts_before, double touched_at, double last_applied_at) {
    return attempts_before > 0 || last_applied_at > touched_at;
}

std::string reason_of(const pg::SqlError& error) {
    std::string out = "The database refuses this change: ";
    out += error.what();
    out += " (";
    out += error.sqlstate();
    out += ")";
    return out;
}

}  // namespace rollcall::sync
