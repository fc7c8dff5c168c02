// The simulator's users, kept in a file between runs, so that a second start goes on with the same
// people and no id is ever given twice. Messages, faults and alerts are not kept.
#pragma once

#include "base/result.hpp"
#include "sim/clerk_ids.hpp"
#include "sim/clerk_user.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rollcall::sim {

struct ClerkInstance;

struct ClerkState {
    std::uint64_t seed = 0;
    IdMaker::Counters ids_made;
    std::uint64_t people_made = 0;
    std::vector<ClerkUser> users;
};

// Nothing when there is no such file; bad_configuration when it cannot be read or is not one that
// save_state wrote.
[[nodiscard]] Result<std::optional<ClerkState>> load_state(const std::string& path);
// Replaces the file as a whole: a crash leaves the old or the new one.
[[nodiscard]] Result<void> save_state(const std::string& path, const ClerkInstance& clerk);

}  // namespace rollcall::sim
