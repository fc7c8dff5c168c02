#include "sync/refusal.hpp"

#include <algorithm>
#include <array>

namespace rollcall::sync {

Refusal judge(const pg::SqlError& error) {
    if (error.transient() || error.unique_violation()) return Refusal::again;
    const std::string_view state = error.sqlstate();
    if (state.starts_with("22")) return Refusal::for_ever;
    // Feature, cursor, statement, transaction and schema state, syntax and names, resources,
    // configuration, the system, internal errors.
    constexpr std::array<std::string_view, 12> general{"0A", "24", "25", "26", "2D", "3D",
                                                       "3F", "42", "53", "54", "55", "XX"};
    const bool ours = std::ranges::any_of(
        general, [&](std::string_view group) { return state.starts_with(group); });
    return ours ? Refusal::not_the_job : Refusal::for_now;
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
