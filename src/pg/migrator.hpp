// Brings the schema to the version this binary needs: numbered steps, forward only, one transaction
// each, under an advisory lock, with the checksum of every applied step kept in
// `rollcall.schema_steps`. A step whose text changed after it was applied is an error. So is one of
// a later build that this one does not know, unless its text begins with "-- compatible:" and why:
// then builds from before it go on, and start, beside those that have it.
#pragma once

#include "base/embedded_file.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "pg/pool.hpp"

#include <span>
#include <string>
#include <vector>

namespace rollcall::pg {

struct MigrationStep {
    std::string name;  // 0001_job_queue
    bool applied = false;
    std::string applied_at{};  // RFC 3339; empty when not applied
};

class Migrator {
public:
    // `files` must outlive the migrator, sorted by name. `pool` likewise.
    Migrator(Pool& pool, std::span<const EmbeddedFile> files);

    Task<Result<std::vector<MigrationStep>>> status();
    // Applies what is missing and returns the names; nothing when up to date. Safe to run from
    // several processes at once.
    Task<Result<std::vector<std::string>>> apply();
    // True when every step of this binary is applied; an error when the database has one that this
    // binary does not know and that is not compatible.
    Task<Result<bool>> up_to_date();

private:
    Pool& pool_;
    std::span<const EmbeddedFile> files_;
};

}  // namespace rollcall::pg
