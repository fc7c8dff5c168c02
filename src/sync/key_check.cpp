#include "sync/key_check.hpp"

#include "base/timeout.hpp"
#include "jobs/work_loop.hpp"
#include "sync/sql.hpp"

#include <fmt/format.h>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rollcall::sync {
namespace {

std::string other_instance(std::string_view of_key, std::string_view of_database) {
    return fmt::format(
        "the secret key is of Clerk instance {}, this database is filled from {}: set the right "
        "key",
        of_key, of_database);
}

Task<> ask_instance(clerk::BackendApi& clerk, Duration limit,
                    std::optional<clerk::Instance>& instance) {
    const auto answer = co_await with_timeout(clerk.instance(), limit);
    if (answer && *answer) instance = **answer;
}

// A database that webhooks have filled: the key must know some of its users.
Task<bool> knows_witnesses(RunLedger& runs, Pass& pass) {
    const std::vector<std::string> witnesses = co_await runs.witnesses();
    if (witnesses.empty()) co_return true;
    clerk::UserQuery query;
    query.filter.ids = witnesses;
    const auto page = co_await pass.list(std::move(query));
    if (!page) co_return false;
    if (!page->users.empty()) co_return true;
    const auto users = co_await pass.count(clerk::UserFilter());
    if (!users) co_return false;
    if (*users == 0) co_return true;  // whether that can be is judged by the pass
    pass.fail(RunFailure::other_instance,
              "the secret key knows none of the users of this database: it is of another Clerk "
              "instance");
    co_return false;
}

}  // namespace

// What the database was told first, it keeps.
Task<bool> right_key(RunLedger& runs, Pass& pass) {
    const auto instance = co_await pass.instance();
    if (!instance) co_return false;
    std::string known = (co_await runs.state()).instance_id;
    if (known.empty()) {
        if (!co_await knows_witnesses(runs, pass)) co_return false;
        if (pass.dry_run()) co_return true;
        known = co_await runs.claim_instance(instance->id, instance->environment_type);
    }
    if (known != instance->id) {
        pass.fail(RunFailure::other_instance, other_instance(instance->id, known));
        co_return false;
    }
    pass.parts().refresh.trust_key();
    co_return true;
}

Task<Result<void>> may_start(pg::Pool& pool, clerk::BackendApi& clerk, Duration limit) {
    const pg::Rows kept = co_await pool.execute(sql::known_instance);
    const std::string known(kept.text(0, 0));
    if (known.empty()) co_return Result<void>();
    std::optional<clerk::Instance> instance;
    co_await jobs::guarded("clerk_not_asked", ask_instance(clerk, limit, instance));
    if (!instance || instance->id == known) co_return Result<void>();
    co_return fail(ErrorCode::bad_configuration, other_instance(instance->id, known));
}

}  // namespace rollcall::sync
