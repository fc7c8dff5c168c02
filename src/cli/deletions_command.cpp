// rollcall deletions: what the guards held back for a person, and what the person decides.
#include "cli/commands.hpp"
#include "cli/config.hpp"
#include "cli/held_deletions.hpp"
#include "cli/one_shot.hpp"
#include "cli/shell_actor.hpp"
#include "cli/sync_once.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <memory>
#include <optional>
#include <string>

namespace rollcall::cli {
namespace {

using Work = std::function<Task<int>(pg::Pool&)>;

int with_database(const Globals& globals, const Work& work) {
    const auto config = load_config(globals, {}, {.database = true});
    if (!config) return report(config.error());
    return run_once(*config, [&](pg::Pool& pool) -> Task<int> {
        if (auto ready = co_await has_schema(pool); !ready) co_return report(ready.error());
        co_return co_await work(pool);
    });
}

int list(const Globals& globals) {
    return with_database(globals, [&](pg::Pool& pool) -> Task<int> {
        const HeldDeletions held = co_await held_deletions(pool);
        fmt::print("{}", globals.json ? to_json(held) : to_text(held));
        co_return exit_ok;
    });
}

int tell(const Globals& globals, const HeldAnswer& answer) {
    fmt::print("{}", globals.json ? to_json(answer) : to_text(answer));
    return answer.left == 0 ? exit_ok : exit_found;
}

int run_order(const Globals& globals, admin::DeletionOrder order) {
    if (auto good = check(order); !good) return report(good.error());
    order.by = shell_actor();
    std::optional<HeldAnswer> answer;
    const int code = with_database(globals, [&](pg::Pool& pool) -> Task<int> {
        const auto decided = co_await decide(pool, order);
        if (!decided) co_return report(decided.error());
        answer = *decided;
        co_return exit_ok;
    });
    if (!answer) return code;
    if (answer->run == 0) return tell(globals, *answer);
    // What a pass held back is looked up in Clerk once more.
    return with_sync(globals, [&](SyncParts& parts) -> Task<int> {
        const auto decided = co_await decide_on_run(parts.reconciler(), order, *answer);
        if (!decided) co_return report(decided.error());
        co_return tell(globals, *decided);
    });
}

void add_order(CLI::App& parent, bool approve, const std::string& description,
               const Globals& globals, int& exit_code) {
    auto* command = parent.add_subcommand(approve ? "approve" : "discard", description);
    const auto order = std::make_shared<admin::DeletionOrder>();
    order->approve = approve;
    command->add_option("id", order->clerk_id, "Clerk id of one user");
    command->add_option("--from", order->from, "All that this held back: pass, webhook or mirror");
    command->add_option("--note", order->note, "Why, for the audit log");
    command->callback([order, &globals, &exit_code] { exit_code = run_order(globals, *order); });
}

}  // namespace

void add_deletions_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* command = app.add_subcommand(
        "deletions", "Deletions that wait for a person: lists, approves or discards them");
    add_order(*command, true, "Deletes whom a guard held back, of one user or one source", globals,
              exit_code);
    add_order(*command, false, "Keeps them", globals, exit_code);
    command->callback([command, &globals, &exit_code] {
        if (command->get_subcommands().empty()) exit_code = list(globals);
    });
}

}  // namespace rollcall::cli
