// Runs of polling as the command line tells of them: words for people, JSON for programs, and the
// exit code that stands for each. Pure.
#pragma once

#include "sync/held_deletes.hpp"
#include "sync/run.hpp"
#include "sync/run_ledger.hpp"

#include <string>
#include <vector>

namespace rollcall::cli {

// 0 completed, 69 Clerk out of reach, else 1: incomplete, failed, or deletions held.
[[nodiscard]] int exit_code_of(const sync::RunSummary& summary);
// Of a comparison: 0 equal, 1 different; as above where it did not complete.
[[nodiscard]] int exit_code_of_comparison(const sync::RunSummary& summary);

[[nodiscard]] std::string to_text(const sync::RunSummary& summary);
// "5 users seen, 0 changed", or why it did not complete.
[[nodiscard]] std::string brief_text(const sync::RunSummary& summary);
// What a comparison found, in a line.
[[nodiscard]] std::string comparison_text(const sync::RunSummary& summary);
// What a person can do about deletions that are held; "" when none are.
[[nodiscard]] std::string held_text(const sync::RunSummary& summary);
[[nodiscard]] std::string to_text(const std::vector<sync::RunRecord>& runs);
[[nodiscard]] std::string to_json(const std::vector<sync::RunRecord>& runs);
[[nodiscard]] std::string to_text(const sync::HeldDecision& decision);
[[nodiscard]] std::string to_json(const sync::HeldDecision& decision);

}  // namespace rollcall::cli
