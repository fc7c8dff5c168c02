#include "sync/ask_clerk.hpp"

#include "directory/directory.hpp"
#include "jobs/work_loop.hpp"
#include "sync/sql.hpp"

#include <utility>

namespace rollcall::sync {
namespace {

using Answer = Result<std::optional<clerk::User>>;

Task<> get(clerk::BackendApi& clerk, const std::string& clerk_id, std::optional<Answer>& answer) {
    answer = co_await clerk.get_user(clerk_id);
}

Task<> get_instance(clerk::BackendApi& clerk, std::optional<Result<clerk::Instance>>& answer) {
    answer = co_await clerk.instance();
}

}  // namespace

Task<std::optional<clerk::Instance>> ClerkReader::instance_of_key() {
    std::optional<Result<clerk::Instance>> answer;
    co_await jobs::guarded("clerk_not_asked", get_instance(clerk_, answer));
    if (!answer || !*answer) co_return std::nullopt;
    co_return **answer;
}

// A key of another instance knows nobody of ours: its 404 says nothing. What is found out is kept,
// for polling and for the next process.
Task<RunFailure> ClerkReader::fault_of_key(const std::string& but, const std::string& witness) {
    if (key_proven_) co_return RunFailure::none;
    const auto instance = co_await instance_of_key();
    const pg::Rows known = co_await pool_.execute(sql::known_instance);
    const RunFailure fault = instance ? RunFailure::other_instance : RunFailure::clerk_away;
    if (instance && !known.text(0, 0).empty()) {
        key_proven_ = known.text(0, 0) == instance->id;
        co_return key_proven_ ? RunFailure::none : fault;
    }
    co_await look_for_witness(but, witness);
    if (!key_proven_) co_return fault;
    if (!instance) co_return RunFailure::none;
    const pg::Rows kept = co_await pool_.execute(
        sql::claim_instance, pg::Params().text(instance->id).text(instance->environment_type));
    key_proven_ = kept.text(0, 0) == instance->id;
    co_return key_proven_ ? RunFailure::none : fault;
}

Task<> ClerkReader::look_for_witness(const std::string& but, const std::string& witness) {
    if (!witness.empty() && witness != but) co_await try_key(witness);
    if (key_proven_) co_return;
    const pg::Rows users = co_await pool_.execute(sql::some_users, pg::Params().text(but));
    for (int row = 0; row < users.size() && !key_proven_; ++row) {
        co_await try_key(std::string(users.text(row, 0)));
    }
}

Task<> ClerkReader::try_key(std::string clerk_id) {
    std::optional<Answer> answer;
    co_await jobs::guarded("clerk_not_asked", get(clerk_, clerk_id, answer));
    if (answer && *answer && **answer) key_proven_ = true;
}

Task<ClerkAnswer> ClerkReader::ask(std::string clerk_id, std::string witness) {
    ClerkAnswer out;
    for (int time = 0; time < 2; ++time) {
        out.asked_at = co_await directory::database_now(pool_);
        std::optional<Answer> answer;
        const bool answered =
            co_await jobs::guarded("clerk_not_asked", get(clerk_, clerk_id, answer));
        if (!answered || !answer) {
            out.reason = "no answer";
            co_return out;
        }
        if (!*answer) {
            if (answer->error().code == ErrorCode::invalid_input) {
                out.kind = ClerkAnswer::Kind::no_id_of_clerks;
            }
            out.reason = answer->error().message;
            out.failure = failure_of(answer->error().code);
            co_return out;
        }
        if (**answer) {
            out.kind = ClerkAnswer::Kind::user;
            out.user = std::move(**answer);
            co_return out;
        }
    }
    out.failure = co_await fault_of_key(clerk_id, witness);
    if (out.failure == RunFailure::none) {
        out.kind = ClerkAnswer::Kind::no_such_user;
    } else {
        out.reason =
            "404, but nothing shows that this secret key is of the instance of our users: it may "
            "be of another instance";
    }
    co_return out;
}

directory::Snapshot snapshot_of(const clerk::User& user, const directory::ColumnMap& columns) {
    directory::Snapshot out;
    out.version = user.updated_at_ms;
    if (user.email && !user.email->empty()) out.email = user.email;
    if (user.name && !user.name->empty()) out.name = user.name;
    out.role = directory::role_of(columns, user.role);
    out.banned = user.banned;
    out.locked = user.locked;
    if (user.created_at_ms > 0) {
        out.clerk_created_at = SystemTime(std::chrono::milliseconds(user.created_at_ms));
    }
    return out;
}

directory::Read read_of(const ClerkAnswer& answer, std::string clerk_id,
                        const directory::ColumnMap& columns) {
    directory::Read out{.clerk_id = std::move(clerk_id), .state = {}, .asked_at = answer.asked_at};
    if (answer.kind == ClerkAnswer::Kind::user) {
        out.state = snapshot_of(*answer.user, columns);
    } else {
        ensure(answer.kind == ClerkAnswer::Kind::no_such_user, "an answer that is no change");
        out.state = directory::Deletion{answer.asked_at};
    }
    return out;
}

}  // namespace rollcall::sync
