// rollcall audit: whether the table equals Clerk, or Supabase Auth the table, and where not.
#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/mirror_audit.hpp"
#include "cli/run_text.hpp"
#include "cli/sync_once.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace rollcall::cli {
namespace {

constexpr const char* description =
    "Compares every user of Clerk's with the users table, field by field; writes nothing";
constexpr const char* footer =
    "missing: Clerk has the user, the table no living row. different: both have, with other\n"
    "content. extra: the table has a living row, Clerk no such user. `rollcall sync --full`\n"
    "mends all three.\n"
    "\n"
    "--mirror compares the users of Supabase Auth with the table instead: by SQL on auth.users "
    "where\n"
    "that is readable here, else by the pages of Auth's list. `rollcall serve` mends what "
    "differs.\n"
    "\n"
    "Exit codes: 0 equal, 1 different or not to be told, 2 usage, 69 Clerk (with --mirror "
    "Supabase)\n"
    "or the database out of reach, 75 a run is under way, 78 bad configuration.\n"
    "\n"
    "Lists are capped at --limit; `rollcall sync --dry-run` prints every difference from Clerk.";

// The first of each kind.
class Findings {
public:
    explicit Findings(std::size_t limit) : limit_(limit) {}

    void add(const sync::Difference& difference) {
        auto& list = difference.kind == sync::Difference::Kind::missing     ? missing_
                     : difference.kind == sync::Difference::Kind::different ? different_
                                                                            : extra_;
        if (list.size() < limit_) list.push_back(difference);
    }

    [[nodiscard]] std::string as_json(const sync::RunSummary& summary) const {
        return fmt::format(
            R"({{"equal":{},"missing":{{"total":{},"ids":[{}]}},"extra":{{"total":{},"ids":[{}]}},)"
            R"("different":{{"total":{},"items":[{}]}}}})"
            "\n",
            summary.found.none(), summary.found.missing, ids(missing_), summary.found.extra,
            ids(extra_), summary.found.stale, items());
    }
    [[nodiscard]] std::string as_text(const sync::RunSummary& summary) const {
        std::string out;
        for (const auto* list : {&missing_, &different_, &extra_}) {
            for (const sync::Difference& difference : *list) out += to_text(difference) + "\n";
        }
        const sync::Drift& found = summary.found;
        const auto shown =
            static_cast<std::int64_t>(missing_.size() + different_.size() + extra_.size());
        const std::int64_t rest = found.missing + found.stale + found.extra - shown;
        if (rest > 0) out += fmt::format("… and {} more: rollcall sync --dry-run\n", rest);
        return out + comparison_text(summary);
    }

private:
    static std::string ids(const std::vector<sync::Difference>& list) {
        std::string out;
        for (const sync::Difference& one : list) {
            out += (out.empty() ? "" : ",") + json_string(one.clerk_id);
        }
        return out;
    }
    [[nodiscard]] std::string items() const {
        std::string out;
        for (const sync::Difference& one : different_) {
            out += (out.empty() ? "" : ",") + sync::to_json(one);
        }
        return out;
    }

    std::size_t limit_;
    std::vector<sync::Difference> missing_;
    std::vector<sync::Difference> different_;
    std::vector<sync::Difference> extra_;
};

Task<int> compare(const Globals& globals, std::size_t limit, SyncParts& parts) {
    Findings findings(limit);
    const auto summary =
        co_await watched_run(parts, {.mode = sync::RunMode::full, .dry_run = true},
                             [&](const sync::Difference& one) { findings.add(one); });
    if (!summary) co_return report(summary.error());
    if (summary->status != sync::RunStatus::completed) {
        // Neither equal nor different: nothing is said on standard output.
        fmt::print(stderr, "rollcall: {}", comparison_text(*summary));
        co_return exit_code_of_comparison(*summary);
    }
    fmt::print("{}", globals.json ? findings.as_json(*summary) : findings.as_text(*summary));
    co_return exit_code_of_comparison(*summary);
}

}  // namespace

void add_audit_command(CLI::App& app, const Globals& globals, int& exit_code) {
    auto* command = app.add_subcommand("audit", description);
    command->footer(footer);
    const auto limit = std::make_shared<std::size_t>(100);
    command->add_option("--limit", *limit, "At most so many users of each kind (100)")
        ->check(CLI::Range(0, 100'000))
        ->option_text("N");
    const auto mirror = std::make_shared<bool>(false);
    command->add_flag("--mirror", *mirror, "Supabase Auth beside the users table");
    command->callback([limit, mirror, &globals, &exit_code] {
        if (*mirror) {
            exit_code = audit_mirror(globals, *limit);
            return;
        }
        exit_code =
            with_sync(globals, [&](SyncParts& parts) { return compare(globals, *limit, parts); });
    });
}

}  // namespace rollcall::cli
