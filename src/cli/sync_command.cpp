// rollcall sync: makes the table follow Clerk now, or shows what would be done.
#include "cli/commands.hpp"
#include "cli/one_shot.hpp"
#include "cli/run_text.hpp"
#include "cli/shell_actor.hpp"
#include "cli/sync_once.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace rollcall::cli {
namespace {

constexpr const char* description =
    "Reconciles the users table with Clerk now, or shows what would be done";
constexpr const char* footer =
    "Without flags: what Clerk has changed since the last pass, or everyone when there was none.\n"
    "Only --full notices who is gone from Clerk. Deletions beyond sync.delete_guard_users and\n"
    "sync.delete_guard_ratio are held back and wait for --approve-deletes or --discard-deletes.\n"
    "Ctrl-C leaves a complete pass where the next one goes on from.\n"
    "\n"
    "Exit codes: 0 completed (--dry-run: equal), 1 incomplete, failed, or deletions held\n"
    "(--dry-run: different), 2 usage, 69 Clerk or the database out of reach, 75 another run is\n"
    "under way, 78 bad configuration.\n"
    "\n"
    "Examples:\n"
    "  rollcall sync --full\n"
    "  rollcall sync --dry-run --json | jq '.differences[]'\n"
    "  rollcall sync --user user_2abc --dry-run\n"
    "  rollcall sync --history\n"
    "\n"
    "How it works: docs/sync.md.";

struct Options {
    bool full = false;
    bool dry_run = false;
    bool history = false;
    std::string user;
    std::int64_t approve = 0;
    std::int64_t discard = 0;
    std::optional<int> limit;
};

constexpr int history_limit = 20;

// What is asked for is one thing at a time; a comparison may be called complete, as it is, or be of
// one user.
std::optional<Error> contradiction(const Options& options) {
    std::vector<std::string_view> asked;
    if (options.full) asked.emplace_back("--full");
    if (!options.user.empty()) asked.emplace_back("--user");
    if (asked.empty() && options.dry_run) asked.emplace_back("--dry-run");
    if (options.history) asked.emplace_back("--history");
    if (options.approve > 0) asked.emplace_back("--approve-deletes");
    if (options.discard > 0) asked.emplace_back("--discard-deletes");
    if (asked.size() > 1) {
        return Error{ErrorCode::invalid_input,
                     fmt::format("{} and {} exclude each other", asked[0], asked[1])};
    }
    if (options.limit && !options.history) {
        return Error{ErrorCode::invalid_input, "--limit is of --history"};
    }
    return std::nullopt;
}

std::string check_run(const std::string& text) {
    std::int64_t run = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), run);
    const bool number = error == std::errc() && end == text.data() + text.size() && run > 0;
    return number ? "" : "must be the number of a run, as --history has it";
}

int tell(const Globals& globals, const sync::RunSummary& summary) {
    fmt::print("{}", globals.json ? sync::to_json(summary) + "\n" : to_text(summary));
    fmt::print(stderr, "{}", held_text(summary));
    return exit_code_of(summary);
}

// The differences as they come, however many there are: before, between and after them.
class DryRunText {
public:
    explicit DryRunText(bool json) : json_(json) {}

    void differs(const sync::Difference& difference) {
        if (!json_) {
            fmt::print("{}\n", to_text(difference));
            return;
        }
        fmt::print("{}{}", any_ ? "," : R"({"differences":[)", sync::to_json(difference));
        any_ = true;
    }
    void end(const sync::RunSummary& summary) const {
        if (!json_) {
            fmt::print("{}", comparison_text(summary));
            return;
        }
        fmt::print("{}],{}\n", any_ ? "" : R"({"differences":[)", sync::to_json(summary).substr(1));
    }

private:
    bool json_;
    bool any_ = false;
};

// One user, or complete: what has drifted is not among what Clerk changed of late.
Task<int> compare(const Globals& globals, const std::string& clerk_id, SyncParts& parts) {
    DryRunText text(globals.json);
    const auto differs = [&](const sync::Difference& difference) { text.differs(difference); };
    const auto summary =
        clerk_id.empty()
            ? co_await watched_run(parts, {.mode = sync::RunMode::full, .dry_run = true}, differs)
            : co_await compare_one(parts, clerk_id, differs);
    if (!summary) co_return report(summary.error());
    text.end(*summary);
    co_return exit_code_of_comparison(*summary);
}

Task<int> reconcile(const Globals& globals, const Options& options, SyncParts& parts) {
    const auto mode = options.full ? sync::RunMode::full : sync::RunMode::incremental;
    const auto summary = co_await watched_run(parts, {.mode = mode, .by = shell_actor()});
    if (!summary) co_return report(summary.error());
    co_return tell(globals, *summary);
}

Task<int> refresh(const Globals& globals, const std::string& clerk_id, SyncParts& parts) {
    const auto summary =
        co_await parts.user_refresh().run(clerk_id, sync::RunTrigger::cli, shell_actor());
    if (!summary) co_return report(summary.error());
    co_return tell(globals, *summary);
}

Task<int> approve(const Globals& globals, std::int64_t run, SyncParts& parts) {
    const auto decision = co_await parts.reconciler().approve_deletes(run, shell_actor());
    if (!decision) co_return report(decision.error());
    fmt::print("{}", globals.json ? to_json(*decision) : to_text(*decision));
    co_return decision->left == 0 ? exit_ok : exit_found;
}

Task<int> discard(const Globals& globals, std::int64_t run, SyncParts& parts) {
    const auto users = co_await parts.reconciler().discard_deletes(run, shell_actor());
    if (!users) co_return report(users.error());
    if (globals.json) {
        fmt::print("{{\"discarded\":{}}}\n", *users);
    } else {
        fmt::print("{} kept; the next complete pass judges anew\n", *users);
    }
    co_return exit_ok;
}

// Needs no secret key.
int show_history(const Globals& globals, int limit) {
    const auto config = load_config(globals, {}, {.database = true});
    if (!config) return report(config.error());
    return run_once(*config, [&](pg::Pool& pool) -> Task<int> {
        if (auto ready = co_await has_schema(pool); !ready) co_return report(ready.error());
        sync::RunLedger ledger(pool, "cli");
        const std::vector<sync::RunRecord> runs = co_await ledger.history(limit);
        fmt::print("{}", globals.json ? to_json(runs) : to_text(runs));
        co_return exit_ok;
    });
}

int run_sync(const Globals& globals, const Options& options) {
    if (const auto wrong = contradiction(options)) return report(*wrong);
    if (options.history) return show_history(globals, options.limit.value_or(history_limit));
    return with_sync(globals, [&](SyncParts& parts) {
        if (options.approve > 0) return approve(globals, options.approve, parts);
        if (options.discard > 0) return discard(globals, options.discard, parts);
        if (options.dry_run) return compare(globals, options.user, parts);
        if (!options.user.empty()) return refresh(globals, options.user, parts);
        return reconcile(globals, options, parts);
    });
}

}  // namespace

void add_sync_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* command = app.add_subcommand("sync", description);
    command->footer(footer);
    const auto options = std::make_shared<Options>();
    command->add_flag("--full", options->full, "Every user, and who is gone: a complete pass");
    command
        ->add_option("--user", options->user,
                     "Only this user, by Clerk id; who is not found is asked for twice")
        ->type_name("ID");
    command->add_flag("--dry-run", options->dry_run,
                      "Compare all users, or the one of --user, and print each difference;\n"
                      "write nothing");
    command->add_flag("--history", options->history, "The latest attempts, failed ones too");
    command->add_option("--limit", options->limit, "Of --history: at most so many (20)")
        ->check(CLI::Range(1, 1000))
        ->option_text("N");
    command
        ->add_option("--approve-deletes", options->approve,
                     "Delete whom this run has held back, each looked up in Clerk once more")
        ->check(check_run)
        ->option_text("RUN");
    command
        ->add_option("--discard-deletes", options->discard,
                     "Keep whom this run has held back; the next complete pass judges anew")
        ->check(check_run)
        ->option_text("RUN");
    command->callback([options, &globals, &exit_code] { exit_code = run_sync(globals, *options); });
}

}  // namespace rollcall::cli
