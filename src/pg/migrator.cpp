#include "pg/migrator.hpp"

#include "base/backoff.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "pg/sql.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace rollcall::pg {
namespace {

// "rollcall", so that no other program's advisory lock is in the way.
constexpr std::int64_t lock_key = 0x726f6c6c63616c6c;
// A step that cannot have its locks soon lets go of those it has, lest it holds up everyone.
constexpr std::string_view lock_wait = "3s";
constexpr int attempts_max = 6;
constexpr Backoff lock_backoff{std::chrono::milliseconds(500), std::chrono::milliseconds(8'000)};

constexpr std::string_view create_table = R"(
CREATE SCHEMA IF NOT EXISTS rollcall;
CREATE TABLE IF NOT EXISTS rollcall.schema_steps (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    compatible boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE rollcall.schema_steps IS
    'The schema steps of rollcall that were applied here; checksum is the SHA-256 of the text.';
)";

// How a step's text begins that builds which do not know it may go on beside.
constexpr std::string_view compatible_mark = "-- compatible:";

std::string_view step_name(const EmbeddedFile& file) {
    return file.name.substr(0, file.name.rfind(".sql"));
}

struct Applied {
    std::string name;
    std::string checksum;
    std::string at;
    bool compatible = false;
};

Task<std::vector<Applied>> read_applied(Pool& pool) {
    std::vector<Applied> steps;
    const Rows exists = co_await pool.execute(sql::steps_table_exists);
    if (!exists.boolean(0, 0)) co_return steps;
    const Rows rows = co_await pool.execute(sql::applied_steps);
    for (int row = 0; row < rows.size(); ++row) {
        steps.push_back({.name = std::string(rows.text(row, 0)),
                         .checksum = std::string(rows.text(row, 1)),
                         .at = std::string(rows.text(row, 2)),
                         .compatible = rows.boolean(row, 3)});
    }
    co_return steps;
}

// The server's own SHA-256: this folder knows none.
Task<std::vector<std::string>> checksums(Pool& pool, std::span<const EmbeddedFile> files) {
    std::vector<std::optional<std::string_view>> texts(files.size());
    std::ranges::transform(files, texts.begin(), &EmbeddedFile::text);
    Params params;
    params.text_array(texts);
    const Rows rows = co_await pool.execute(sql::checksums, params);
    co_return rows.texts(0);
}

Error changed_step(std::string_view name) {
    return {ErrorCode::conflict, "schema step " + std::string(name) +
                                     " was changed after it was applied to this database; steps "
                                     "are never edited, restore its text and add a new step"};
}

// What `files` and the database have to say to each other, the same order as `files`.
Task<Result<std::vector<MigrationStep>>> compare(Pool& pool, std::span<const EmbeddedFile> files) {
    const auto applied = co_await read_applied(pool);
    const auto sums = co_await checksums(pool, files);
    std::vector<MigrationStep> steps;
    for (std::size_t i = 0; i < files.size(); ++i) {
        MigrationStep step{.name = std::string(step_name(files[i]))};
        const auto found = std::ranges::find(applied, step.name, &Applied::name);
        if (found != applied.end()) {
            if (found->checksum != sums[i]) co_return std::unexpected(changed_step(step.name));
            step.applied = true;
            step.applied_at = found->at;
        }
        steps.push_back(std::move(step));
    }
    for (const Applied& step : applied) {
        if (step.compatible) continue;
        if (std::ranges::find(steps, step.name, &MigrationStep::name) == steps.end()) {
            co_return fail(ErrorCode::conflict,
                           "the database has schema step " + step.name +
                               ", which this rollcall does not know; run the release that "
                               "applied it, or a later one");
        }
    }
    co_return steps;
}

enum class Applying : std::uint8_t { done, was_done };

// One step in one transaction. The outer result is what the step's SQL was refused with.
Task<std::expected<Result<Applying>, SqlError>> apply_step(Pool& pool, const EmbeddedFile& file) {
    const std::string_view name = step_name(file);
    Transaction tx = co_await pool.begin();
    Params key;
    key.bigint(lock_key);
    co_await tx.execute(sql::lock_schema, key);
    Params wait;
    wait.text(lock_wait);
    co_await tx.execute(sql::limit_lock_wait, wait);

    const Rows exists = co_await tx.execute(sql::steps_table_exists);
    if (!exists.boolean(0, 0)) {
        const auto created = co_await tx.try_execute_script(create_table);
        if (!created) co_return std::unexpected(created.error());
    }
    std::vector<std::optional<std::string_view>> text{file.text};
    Params given;
    given.text_array(text);
    const Rows sum = co_await tx.execute(sql::checksums, given);
    Params of_step;
    of_step.text(name);
    const Rows known = co_await tx.execute(sql::step_checksum, of_step);
    if (!known.empty()) {  // another process was faster
        if (known.text(0, 0) != sum.text(0, 0)) {
            co_return Result<Applying>(std::unexpected(changed_step(name)));
        }
        co_return Applying::was_done;
    }
    const auto applied = co_await tx.try_execute_script(file.text);
    if (!applied) co_return std::unexpected(applied.error());
    Params record;
    record.text(name).text(sum.text(0, 0));
    co_await tx.execute(sql::record_step, record);
    if (file.text.starts_with(compatible_mark)) co_await tx.execute(sql::mark_compatible, of_step);
    const auto committed = co_await tx.try_commit();
    if (!committed) co_return std::unexpected(committed.error());
    co_return Applying::done;
}

// Again while another session's lock or a deadlock is in the way.
Task<Result<Applying>> apply_patiently(Pool& pool, const EmbeddedFile& file) {
    Random random;
    for (int attempt = 0;; ++attempt) {
        auto tried = co_await apply_step(pool, file);
        if (tried) co_return std::move(*tried);
        const SqlError& error = tried.error();
        const bool in_the_way = error.sqlstate() == "55P03" || error.transient();
        if (!in_the_way || attempt + 1 == attempts_max) {
            co_return fail(in_the_way ? ErrorCode::unavailable : ErrorCode::internal,
                           "schema step " + std::string(step_name(file)) +
                               " failed, nothing of it remains: " + error.what());
        }
        log::warn("migration_waits_for_lock",
                  {{"step", step_name(file)}, {"attempt", attempt + 1}});
        co_await sleep(backoff_delay(lock_backoff, attempt, random));
    }
}

}  // namespace

Migrator::Migrator(Pool& pool, std::span<const EmbeddedFile> files) : pool_(pool), files_(files) {
    ensure(std::ranges::is_sorted(files, {}, &EmbeddedFile::name), "schema steps out of order");
}

Task<Result<std::vector<MigrationStep>>> Migrator::status() {
    return compare(pool_, files_);
}

Task<Result<std::vector<std::string>>> Migrator::apply() {
    const auto steps = co_await compare(pool_, files_);
    if (!steps) co_return std::unexpected(steps.error());
    std::vector<std::string> names;
    for (std::size_t i = 0; i < files_.size(); ++i) {
        const MigrationStep& step = (*steps)[i];
        if (step.applied) continue;
        const auto begun = std::chrono::steady_clock::now();
        const auto applied = co_await apply_patiently(pool_, files_[i]);
        if (!applied) co_return std::unexpected(applied.error());
        if (*applied == Applying::was_done) continue;
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - begun);
        log::info("migration_applied", {{"step", step.name}, {"duration_ms", took.count()}});
        names.push_back(step.name);
    }
    co_return names;
}

Task<Result<bool>> Migrator::up_to_date() {
    const auto steps = co_await compare(pool_, files_);
    if (!steps) co_return std::unexpected(steps.error());
    co_return std::ranges::all_of(*steps, &MigrationStep::applied);
}

}  // namespace rollcall::pg
