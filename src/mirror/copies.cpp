#include "mirror/copies.hpp"

#include "mirror/sql.hpp"
#include "pg/error.hpp"

namespace rollcall::mirror {
namespace {

using std::chrono::milliseconds;

pg::Params of_job(const jobs::Job& job) {
    pg::Params params;
    params.text(job.id).bigint(job.fence).text(job.subject);
    return params;
}

std::optional<std::int64_t> maybe_bigint(const pg::Rows& rows, std::string_view column) {
    const int at = rows.column(column);
    if (rows.is_null(0, at)) return std::nullopt;
    return rows.bigint(0, at);
}

Doubt doubt_of(const pg::Rows& rows) {
    if (rows.empty()) return {};
    return {.until = maybe_bigint(rows, "until_us"), .before = maybe_bigint(rows, "before_us")};
}

// As `heard` and `written` take it.
pg::Params& add(pg::Params& params, const Doubt& doubt) {
    for (const auto& at : {doubt.until, doubt.before}) {
        if (at) {
            params.bigint(*at);
        } else {
            params.null();
        }
    }
    return params;
}

std::optional<milliseconds> wait_of(const pg::Rows& rows) {
    if (rows.empty()) return std::nullopt;
    return milliseconds(rows.bigint(0, rows.column("ms")));
}

}  // namespace

Task<std::optional<Doubt>> Copies::writing(const jobs::Job& job) {
    const auto rows = co_await pool_.execute(sql::writing, of_job(job).bigint(late_max_.count()));
    if (rows.empty()) co_return std::nullopt;
    co_return doubt_of(rows);
}

Task<Doubt> Copies::doubt(std::string_view clerk_id) {
    co_return doubt_of(
        co_await pool_.execute(sql::doubt, pg::Params().text(clerk_id).bigint(late_max_.count())));
}

Task<> Copies::heard(std::string_view clerk_id, const Doubt& doubt) {
    pg::Params params;
    params.text(clerk_id);
    co_await pool_.execute(sql::heard, add(params, doubt));
}

Task<std::optional<milliseconds>> Copies::unsure(const jobs::Job& job) {
    co_return wait_of(co_await pool_.execute(sql::unsure, of_job(job)));
}

Task<std::optional<milliseconds>> Copies::written(const jobs::Job& job, std::string_view auth_id,
                                                  std::int64_t content_hash, const Doubt& doubt) {
    pg::Params params = of_job(job);
    params.text(auth_id).bigint(job.version).bigint(content_hash);
    co_return wait_of(co_await pool_.execute(sql::written, add(params, doubt)));
}

Task<Copies::Adoption> Copies::adopt(const jobs::Job& job, std::string_view auth_id,
                                     Password password) {
    const auto rows = co_await pool_.try_execute(
        sql::adopt, of_job(job).text(auth_id).boolean(password == Password::replaced));
    if (rows) co_return rows->affected() > 0 ? Adoption::noted : Adoption::lost;
    if (rows.error().unique_violation()) co_return Adoption::taken;
    pg::rethrow(rows.error());
}

Task<bool> Copies::skip(const jobs::Job& job, std::string_view auth_id, std::string_view reason) {
    const auto rows = co_await pool_.execute(sql::skip, of_job(job).text(auth_id).text(reason));
    co_return rows.affected() > 0;
}

Task<bool> Copies::forget(const jobs::Job& job) {
    const auto rows = co_await pool_.execute(sql::forget, of_job(job));
    co_return !rows.empty();
}

Task<Copies::Counts> Copies::counts() {
    const auto rows = co_await pool_.execute(sql::counts);
    co_return Counts{.pending = rows.bigint(0, rows.column("pending")),
                     .dead = rows.bigint(0, rows.column("dead")),
                     .skipped = rows.bigint(0, rows.column("skipped"))};
}

}  // namespace rollcall::mirror
