#include "cli/run_text.hpp"

#include "cli/commands.hpp"

#include <fmt/format.h>

namespace rollcall::cli {
namespace {

int exit_code_of_failure(const sync::RunSummary& summary) {
    return summary.failure == sync::RunFailure::clerk_away ? exit_unavailable : exit_found;
}

std::string count(std::int64_t number, std::string_view noun) {
    return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

std::int64_t changes(const sync::RunSummary& s) {
    return s.created + s.updated + s.deleted + s.restored;
}

std::string end_of(const sync::RunSummary& summary) {
    const std::string mode(to_string(summary.mode));
    if (!summary.error) return fmt::format("{} ({})", to_string(summary.status), mode);
    return fmt::format("{} ({}): {}", to_string(summary.status), mode, *summary.error);
}

}  // namespace

int exit_code_of(const sync::RunSummary& summary) {
    if (summary.status != sync::RunStatus::completed) return exit_code_of_failure(summary);
    return summary.held_deletes > 0 ? exit_found : exit_ok;
}

int exit_code_of_comparison(const sync::RunSummary& summary) {
    if (summary.status != sync::RunStatus::completed) return exit_code_of_failure(summary);
    return summary.found.none() ? exit_ok : exit_found;
}

std::string to_text(const sync::RunSummary& summary) {
    return fmt::format(
        "{}\n"
        "  {} seen: {} created, {} updated, {} deleted, {} restored, {} unchanged\n"
        "  {:.1f} s, {}, {}\n",
        end_of(summary), count(summary.seen, "user"), summary.created, summary.updated,
        summary.deleted, summary.restored, summary.unchanged, summary.duration_seconds,
        count(summary.pages, "page"), count(summary.requests, "request"));
}

std::string brief_text(const sync::RunSummary& summary) {
    if (summary.error) return fmt::format("{}: {}", to_string(summary.status), *summary.error);
    std::string out =
        fmt::format("{} seen, {} changed", count(summary.seen, "user"), changes(summary));
    if (summary.held_deletes > 0) {
        out += fmt::format(", {} held back", count(summary.held_deletes, "deletion"));
    }
    return out;
}

std::string comparison_text(const sync::RunSummary& summary) {
    if (summary.status != sync::RunStatus::completed) return end_of(summary) + "\n";
    const bool nobody = summary.mode == sync::RunMode::user && summary.seen == 0;
    if (summary.found.none() && nobody) {
        return "equal: neither Clerk nor the table has this user\n";
    }
    if (summary.found.none()) {
        return fmt::format("equal: {}, as Clerk has them\n", count(summary.seen, "user"));
    }
    return fmt::format("different: {} missing, {} different, {} extra; {} seen\n",
                       summary.found.missing, summary.found.stale, summary.found.extra,
                       count(summary.seen, "user"));
}

std::string held_text(const sync::RunSummary& summary) {
    if (summary.held_deletes == 0) return "";
    if (summary.mode == sync::RunMode::user) {
        return "the deletion is held back: Clerk does not know this user, but too many went for "
               "that within the hour\n"
               "  judge them together    rollcall sync --full\n";
    }
    return fmt::format(
        "{} held back: Clerk does not list them, and they are more than the guard lets go at "
        "once\n"
        "  who they are   SELECT clerk_id FROM rollcall.held_deletes WHERE run_id = {};\n"
        "  delete them    rollcall sync --approve-deletes {}\n"
        "  keep them      rollcall sync --discard-deletes {}\n",
        count(summary.held_deletes, "deletion"), summary.run, summary.run, summary.run);
}

std::string to_text(const std::vector<sync::RunRecord>& runs) {
    std::string out = fmt::format(
        "{:>6}  {:<24}  {:<11}  {:<8}  {:<10}  {:>9}  {:>9}  {:>5}  {:>8}  {}\n", "RUN", "STARTED",
        "MODE", "TRIGGER", "STATUS", "SEEN", "CHANGED", "HELD", "SECONDS", "ERROR");
    for (const sync::RunRecord& run : runs) {
        const sync::RunSummary& s = run.summary;
        std::string note = s.error.value_or("");
        if (run.continues) {
            if (!note.empty()) note += "; ";
            note += fmt::format("goes on from run {}", *run.continues);
        }
        out += fmt::format(
            "{:>6}  {:<24}  {:<11}  {:<8}  {:<10}  {:>9}  {:>9}  {:>5}  {:>8.1f}  {}\n", s.run,
            to_rfc3339(run.started_at), to_string(s.mode), to_string(run.trigger),
            to_string(s.status), s.seen, changes(s), s.held_deletes, s.duration_seconds, note);
    }
    return out;
}

std::string to_json(const std::vector<sync::RunRecord>& runs) {
    std::string out = R"({"runs":[)";
    for (const sync::RunRecord& run : runs) {
        if (!out.ends_with('[')) out += ',';
        out += sync::to_json(run);
    }
    return out + "]}\n";
}

std::string to_text(const sync::HeldDecision& decision) {
    return fmt::format("{} deleted; {} kept, Clerk knows them after all; {} left undecided\n",
                       decision.deleted, decision.returned, decision.left);
}

std::string to_json(const sync::HeldDecision& decision) {
    return fmt::format(R"({{"deleted":{},"returned":{},"left":{}}})"
                       "\n",
                       decision.deleted, decision.returned, decision.left);
}

}  // namespace rollcall::cli
