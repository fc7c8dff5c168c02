#include "directory/directory.hpp"

#include "base/failpoint.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "crypto/digest.hpp"
#include "directory/apply_sql.hpp"
#include "directory/catalog.hpp"
#include "directory/read_arrays.hpp"
#include "directory/sql.hpp"
#include "directory/table_shape.hpp"

#include <cstring>
#include <utility>

namespace rollcall::directory {
namespace {

ApplyOptions options_of(const DirectoryConfig& config) {
    return {.batch = config.batch,
            .can_ask = config.can_ask,
            .deletions_alone = config.deletions_alone};
}

}  // namespace

struct Directory::State {
    State(DirectoryConfig c, TableShape s)
        : config(std::move(c)),
          shape(std::move(s)),
          texts(make_apply_sql(shape, config.columns, options_of(config))),
          outbox(texts),
          emails(texts, outbox,
                 shape.email_key == EmailKey::folded ||
                     (shape.email.has_value() && shape.email->folds_case)),
          comparison(texts),
          copies(texts),
          standings(texts),
          curbs(texts, outbox) {}

    // Settings, `apply` and `settle` in one transaction that commits.
    Task<Answer<AppliedBatch>> apply_batch(pg::Pool& pool, const pg::Statement& apply,
                                           const pg::Params& params) const;
    Task<std::vector<std::string>> ids(pg::Pool& pool, const pg::Statement& statement,
                                       const pg::Params& params) const;
    [[nodiscard]] pg::Statement settle(RowDeletion deletion = RowDeletion::whole) const {
        switch (deletion) {
            case RowDeletion::whole:
                break;
            case RowDeletion::mark:
                return {"directory_mark_deleted", texts.mark_deleted};
            case RowDeletion::none:
                return {"directory_forget", texts.forget};
        }
        return {"directory_settle", texts.settle};
    }

    DirectoryConfig config;
    TableShape shape;
    ApplySql texts;
    Outbox outbox;
    EmailRows emails;
    Comparison comparison;
    CopyComparison copies;
    Standings standings;
    Curbs curbs;
};

namespace {

// Columns of apply_jobs.
enum JobColumn : std::uint8_t { outcome, kind, clerk_id, version, attempts, ready, id, last_at };

constexpr std::string_view no_job = "00000000-0000-0000-0000-000000000000";

pg::Params params_of(const ClaimPosition& after) {
    pg::Params params;
    params.integer(after.priority);
    if (after.at_us) {
        params.bigint(*after.at_us);
    } else {
        params.null();
    }
    params.text(after.id);
    return params;
}

std::vector<Directory::Text> list(const ApplySql& texts) {
    return {
        {"apply_due", texts.apply_due},
        {"apply_scheduled", texts.apply_scheduled},
        {"apply_one", texts.apply_one},
        {"due_ids", texts.due_ids},
        {"scheduled_ids", texts.scheduled_ids},
        {"apply_reads", texts.apply_reads},
        {"add_newcomers", texts.add_newcomers},
        {"settle", texts.settle},
        {"mark_deleted", texts.mark_deleted},
        {"forget", texts.forget},
        {"situation", texts.situation},
        {"release_email", texts.release_email},
        {"adopt_row", texts.adopt_row},
        {"renew_user_id", texts.renew_user_id},
        {"ask_again", texts.ask_again},
        {"compare", texts.compare},
        {"balanced", texts.balanced},
        {"blank", texts.blank},
        {"strangers", texts.strangers},
        {"mirrored_row", texts.mirrored_row},
        {"arm_one", texts.arm_one},
        {"arm_again", texts.arm_again},
        {"arm_lost", texts.arm_lost},
        {"compared_rows", texts.compared_rows},
        {"compared_users", texts.compared_users},
        {"compared_copies", texts.compared_copies},
        {"compared_some", texts.compared_some},
        {"standings", texts.standings},
        {"bar_by_job", texts.bar_by_job},
        {"bar_by_read", texts.bar_by_read},
        {"assign_by_job", texts.assign_by_job},
        {"assign_by_read", texts.assign_by_read},
    };
}

// As hard to guess as gen_random_uuid's.
std::vector<Uuid> new_ids(std::span<const Read> newcomers) {
    const std::string random = crypto::random_bytes(newcomers.size() * sizeof(Uuid));
    std::vector<Uuid> out(newcomers.size());
    std::memcpy(out.data(), random.data(), random.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = uuid_v7(newcomers[i].asked_at.time_since_epoch().count(), out[i]);
    }
    return out;
}

Outcome outcome_of(std::string_view name) {
    const auto parsed = parse_outcome(name);
    ensure(parsed.has_value(), "an outcome that the statement does not know");
    return *parsed;
}

}  // namespace

AppliedJob AppliedBatch::operator[](int index) const {
    return {.outcome = outcome_of(jobs_.text(index, JobColumn::outcome)),
            .kind = jobs_.text(index, JobColumn::kind),
            .clerk_id = jobs_.text(index, JobColumn::clerk_id),
            .version = jobs_.bigint(index, JobColumn::version),
            .attempts = static_cast<int>(jobs_.bigint(index, JobColumn::attempts)),
            .ready_at = jobs_.number(index, JobColumn::ready),
            .id = jobs_.text(index, JobColumn::id)};
}

std::optional<ClaimPosition> AppliedBatch::last(int priority) const {
    for (int row = 0; row < jobs_.size(); ++row) {
        if (jobs_.is_null(row, JobColumn::last_at)) continue;
        return ClaimPosition{.priority = priority,
                             .at_us = jobs_.bigint(row, JobColumn::last_at),
                             .id = std::string(jobs_.text(row, JobColumn::id))};
    }
    return std::nullopt;
}

Task<Answer<AppliedBatch>> Directory::State::apply_batch(pg::Pool& pool, const pg::Statement& apply,
                                                         const pg::Params& params) const {
    const pg::Statement settled = settle();
    std::vector<pg::Pool::Step> steps;
    steps.push_back({&sql::settings, {}});
    steps.push_back({&sql::flush_later, {}});
    steps.push_back({&apply, params});
    steps.push_back({&settled, {}});
    failpoint("apply.before_batch");
    auto results = co_await pool.try_execute_together(std::move(steps));
    failpoint("apply.after_batch");
    if (!results) co_return std::unexpected(std::move(results.error()));
    const pg::Rows& settings = results->front();
    const double now = settings.number(0, settings.column("now"));
    co_return AppliedBatch(std::move((*results)[2]), now);
}

Task<std::vector<std::string>> Directory::State::ids(pg::Pool& pool, const pg::Statement& statement,
                                                     const pg::Params& params) const {
    const pg::Rows rows = co_await pool.execute(statement, params);
    co_return rows.texts(0);
}

Directory::Directory(std::unique_ptr<State> state) : state_(std::move(state)) {}
Directory::~Directory() = default;

Task<Result<std::unique_ptr<Directory>>> Directory::open(pg::Pool& pool, DirectoryConfig config) {
    if (auto good = check(config.columns); !good) co_return std::unexpected(good.error());
    pg::Transaction tx = co_await pool.begin();
    const auto table = parse_table_name(config.columns.table);
    const Catalog catalog = co_await read_catalog(tx, *table);
    co_await tx.commit();
    auto shape = shape_of(catalog, config.columns);
    if (!shape) co_return std::unexpected(shape.error());
    if (config.mirror) co_await Outbox::want(pool);
    const auto mirror = co_await Outbox::wanted(pool);
    if (!mirror) co_return std::unexpected(mirror.error());
    auto state = std::make_unique<State>(std::move(config), std::move(*shape));
    co_return std::unique_ptr<Directory>(new Directory(std::move(state)));
}

Task<Answer<AppliedBatch>> Directory::apply_due(pg::Pool& pool, const ClaimPosition& after) {
    co_return co_await state_->apply_batch(pool, {"directory_apply_due", state_->texts.apply_due},
                                           params_of(after));
}

Task<Answer<AppliedBatch>> Directory::apply_scheduled(pg::Pool& pool) {
    co_return co_await state_->apply_batch(
        pool, {"directory_apply_scheduled", state_->texts.apply_scheduled}, {});
}

Task<std::vector<int>> Directory::priorities(pg::Pool& pool) {
    const pg::Rows rows = co_await pool.execute(sql::priorities);
    std::vector<int> out;
    out.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) {
        out.push_back(static_cast<int>(rows.bigint(row, 0)));
    }
    co_return out;
}

Task<std::vector<std::string>> Directory::due_ids(pg::Pool& pool, const ClaimPosition& after) {
    co_return co_await state_->ids(pool, {"directory_due_ids", state_->texts.due_ids},
                                   params_of(after));
}

Task<std::vector<std::string>> Directory::scheduled_ids(pg::Pool& pool) {
    co_return co_await state_->ids(pool, {"directory_scheduled_ids", state_->texts.scheduled_ids},
                                   {});
}

Task<Answer<void>> Directory::probe(pg::Pool& pool) {
    const auto none = co_await state_->apply_batch(
        pool, {"directory_apply_one", state_->texts.apply_one}, pg::Params().text(no_job));
    if (!none) co_return std::unexpected(none.error());
    co_return Answer<void>();
}

Task<pg::Transaction> Directory::begin(pg::Pool& pool) {
    pg::Transaction tx = co_await pool.begin();
    co_await tx.execute(sql::settings);
    co_return tx;
}

Task<Answer<AppliedBatch>> Directory::apply_job(pg::Transaction& tx, std::string_view id,
                                                RowDeletion deletion) {
    auto jobs = co_await tx.try_execute({"directory_apply_one", state_->texts.apply_one},
                                        pg::Params().text(id));
    if (!jobs) co_return std::unexpected(std::move(jobs.error()));
    const auto settled = co_await tx.try_execute(state_->settle(deletion));
    if (!settled) co_return std::unexpected(settled.error());
    const pg::Rows now = co_await tx.execute(sql::transaction_now);
    co_return AppliedBatch(std::move(*jobs), now.number(0, 0));
}

Task<Answer<std::vector<AppliedRead>>> Directory::apply(pg::Transaction& tx,
                                                        std::span<const Read> reads) {
    std::vector<AppliedRead> out;
    if (reads.empty()) co_return out;
    const ReadArrays arrays(reads);
    const auto rows = co_await tx.try_execute({"directory_apply_reads", state_->texts.apply_reads},
                                              arrays.applied());
    if (!rows) co_return std::unexpected(rows.error());
    const auto settled = co_await tx.try_execute(state_->settle());
    if (!settled) co_return std::unexpected(settled.error());
    ensure(std::cmp_equal(rows->size(), reads.size()), "apply: a user given twice");
    for (int row = 0; row < rows->size(); ++row) {
        out.push_back({.outcome = outcome_of(rows->text(row, 1)),
                       .created = rows->boolean(row, 2),
                       .restored = rows->boolean(row, 3)});
    }
    co_return out;
}

Task<Answer<Added>> Directory::add(pg::Pool& pool, std::span<const Read> newcomers) {
    const pg::Statement add{"directory_add_newcomers", state_->texts.add_newcomers};
    const pg::Statement settled = state_->settle();
    const std::vector<Uuid> ids = new_ids(newcomers);
    std::vector<pg::Pool::Step> steps;
    steps.push_back({&sql::settings, {}});
    steps.push_back({&add, ReadArrays(newcomers).added(ids)});
    steps.push_back({&settled, {}});
    const auto results = co_await pool.try_execute_together(std::move(steps));
    if (!results) co_return std::unexpected(results.error());
    co_return Added{.rows = (*results)[1].bigint(0, 0), .now = time_of(results->front())};
}

const Comparison& Directory::comparison() const {
    return state_->comparison;
}
EmailRows& Directory::emails() {
    return state_->emails;
}
const Outbox& Directory::outbox() const {
    return state_->outbox;
}
const CopyComparison& Directory::copies() const {
    return state_->copies;
}
const Standings& Directory::standings() const {
    return state_->standings;
}
const Curbs& Directory::curbs() const {
    return state_->curbs;
}
const ColumnMap& Directory::columns() const {
    return state_->config.columns;
}
const std::vector<std::string>& Directory::notes() const {
    return state_->shape.notes;
}
std::vector<Directory::Text> Directory::statements() const {
    return list(state_->texts);
}

std::vector<Directory::Text> Directory::statements_of(const DirectoryConfig& config) {
    return list(make_apply_sql(created_shape(config.columns), config.columns, options_of(config)));
}

Task<SystemTime> database_now(pg::Pool& pool) {
    const pg::Rows rows = co_await pool.execute(sql::now);
    co_return SystemTime(std::chrono::milliseconds(rows.bigint(0, 0)));
}

}  // namespace rollcall::directory
