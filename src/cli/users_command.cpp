// rollcall users: what is kept of one person, and its removal (docs/privacy.md).
#include "base/metrics.hpp"
#include "clerk/api_channel.hpp"
#include "clerk/http_backend_api.hpp"
#include "cli/commands.hpp"
#include "cli/one_shot.hpp"
#include "cli/shell_actor.hpp"
#include "cli/sql.hpp"
#include "directory/directory.hpp"
#include "privacy/personal_data.hpp"
#include "sync/absences.hpp"
#include "sync/ask_clerk.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace rollcall::cli {
namespace {

using privacy::PersonalData;

// Nothing is indexed by person: each look reads the whole queue once.
constexpr std::chrono::milliseconds whole_queue = std::chrono::minutes(30);

struct Arguments {
    std::string id;
    bool delete_row = false;
    bool yes = false;
};

Error unknown(const std::string& id) {
    return {ErrorCode::not_found, "nothing is kept of " + id};
}

// Runs `work` with the person's data and Clerk id; 1 when nothing is kept of that person.
int with_person(const Globals& globals, const std::string& id,
                const std::function<Task<int>(const Config&, pg::Pool&, PersonalData&,
                                              const std::string& clerk_id)>& work) {
    auto config = load_config(globals, {}, {.database = true});
    if (!config) return report(config.error());
    config->database.statement_timeout = std::max(config->database.statement_timeout, whole_queue);
    return run_once(*config, [&](pg::Pool& pool) -> Task<int> {
        if (auto ready = co_await has_schema(pool); !ready) co_return report(ready.error());
        PersonalData data(pool, config->users);
        const auto clerk_id = co_await data.find(id);
        if (!clerk_id) co_return report(unknown(id));
        co_return co_await work(*config, pool, data, *clerk_id);
    });
}

int export_user(const Globals& globals, const Arguments& arguments) {
    return with_person(
        globals, arguments.id,
        [](const Config&, pg::Pool&, PersonalData& data, const std::string& clerk_id) -> Task<int> {
            fmt::print("{}\n", co_await data.export_of(clerk_id, shell_actor()));
            co_return exit_ok;
        });
}

// Clerk has to say twice, seconds apart, that it does not know a user whose deletion is news.
constexpr int looks_max = 3;

// Clerk does not know the user, and there is nobody else to tell by whose Clerk that is.
Task<bool> only_clerk_says_so(pg::Pool& pool, clerk::BackendApi& clerk,
                              const std::string& clerk_id) {
    const auto witness = co_await pool.execute(sql::key_witness, pg::Params().text(clerk_id));
    if (witness.boolean(0, 0)) co_return false;
    const auto user = co_await clerk.get_user(clerk_id);
    co_return user && !*user;
}

// Why the user is not to be erased now: the next pass would bring the row back, or nothing shows
// that they are gone. The rules are those of a deletion that no event told of.
Task<std::optional<Error>> objection(const Config& config, pg::Pool& pool,
                                     const std::string& clerk_id, bool yes) {
    if (config.clerk.secret_key.empty()) {
        if (yes) co_return std::nullopt;
        co_return Error{ErrorCode::invalid_input,
                        "without clerk.secret_key Clerk cannot be asked whether the user is gone "
                        "there; --yes erases all the same"};
    }
    MetricsRegistry metrics;
    clerk::ApiChannel channel(co_await asio::this_coro::executor, config.clerk, metrics);
    clerk::HttpBackendApi clerk(channel);
    sync::ClerkReader reader(pool, clerk);
    sync::Absences absences(pool);
    for (int look = 0; look < looks_max; ++look) {
        const sync::ClerkAnswer answer = co_await reader.ask(clerk_id);
        switch (answer.kind) {
            case sync::ClerkAnswer::Kind::no_id_of_clerks:
                co_return std::nullopt;  // nobody's there
            case sync::ClerkAnswer::Kind::unreachable:
                if (co_await only_clerk_says_so(pool, clerk, clerk_id)) {
                    if (yes) co_return std::nullopt;
                    co_return Error{ErrorCode::invalid_input,
                                    "Clerk does not know " + clerk_id +
                                        ", but no other user is here by whom to tell that the "
                                        "secret key is of the right instance; --yes erases all the "
                                        "same"};
                }
                co_return Error{ErrorCode::unavailable,
                                "Clerk gave no answer that counts: " + answer.reason};
            case sync::ClerkAnswer::Kind::user:
                co_await absences.found(clerk_id);
                co_return Error{ErrorCode::forbidden,
                                "Clerk still knows " + clerk_id +
                                    ", and would bring the data back: delete the user there first"};
            case sync::ClerkAnswer::Kind::no_such_user:
                break;
        }
        const auto doubt = co_await absences.missing(clerk_id);
        if (!doubt) co_return std::nullopt;
        co_await sleep(doubt->delay.value_or(std::chrono::milliseconds(0)));
    }
    co_return Error{ErrorCode::unavailable, "Clerk does not know " + clerk_id +
                                                ", but somebody else found it since: try again"};
}

void tell(const Globals& globals, const std::string& clerk_id, const privacy::Erased& erased) {
    if (globals.json) {
        fmt::print(R"({{"clerk_id":"{}","rows":{},"jobs":{},"cancelled":{},"events":{}}})"
                   "\n",
                   clerk_id, erased.rows, erased.jobs, erased.cancelled, erased.events);
        return;
    }
    fmt::print("erased {}: {} row, {} jobs ({} of them cancelled), {} events kept for review\n",
               clerk_id, erased.rows, erased.jobs, erased.cancelled, erased.events);
}

int erase_user(const Globals& globals, const Arguments& arguments) {
    return with_person(
        globals, arguments.id,
        [&](const Config& config, pg::Pool& pool, PersonalData& data,
            const std::string& clerk_id) -> Task<int> {
            if (const auto why = co_await objection(config, pool, clerk_id, arguments.yes)) {
                co_return report(*why);
            }
            const auto directory =
                co_await directory::Directory::open(pool, {.columns = config.users});
            if (!directory) co_return report(directory.error());
            const bool removes =
                arguments.delete_row || config.users.delete_mode == directory::DeleteMode::hard;
            const auto erased = co_await data.erase(
                clerk_id, removes ? privacy::RowErasure::remove : privacy::RowErasure::blank,
                (*directory)->outbox(), shell_actor());
            if (!erased) co_return report(Error{ErrorCode::forbidden, erased.error().message});
            tell(globals, clerk_id, *erased);
            co_return exit_ok;
        });
}

}  // namespace

void add_users_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* users = app.add_subcommand("users", "What is kept of one person, and its removal");
    users->require_subcommand(1);
    const auto arguments = std::make_shared<Arguments>();
    auto* show = users->add_subcommand("export", "All that is kept of a user, as one JSON object");
    show->add_option("id", arguments->id, "Clerk id, or internal id")->required();
    show->callback(
        [arguments, &globals, &exit_code] { exit_code = export_user(globals, *arguments); });
    auto* erase = users->add_subcommand(
        "erase", "Removes e-mail, name and events of a user whom Clerk does not know any more");
    erase->add_option("id", arguments->id, "Clerk id, or internal id")->required();
    erase->add_flag("--delete-row", arguments->delete_row,
                    "The row of the users table goes, too; without it, it is blanked and marked");
    erase->add_flag("--yes", arguments->yes, "Where Clerk cannot tell: the user is gone there");
    erase->callback(
        [arguments, &globals, &exit_code] { exit_code = erase_user(globals, *arguments); });
}

}  // namespace rollcall::cli
