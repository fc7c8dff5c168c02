#include "cli/mirror_audit.hpp"

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "cli/config.hpp"
#include "cli/mirroring.hpp"
#include "cli/one_shot.hpp"
#include "cli/signals.hpp"
#include "jobs/worker.hpp"
#include "mirror/compare.hpp"
#include "supabase/auth_channel.hpp"
#include "supabase/http_auth_api.hpp"

#include <fmt/format.h>
#include <array>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace rollcall::cli {
namespace {

using mirror::CompareSummary;
using mirror::CopyDifference;

// The first of each kind.
class Findings {
public:
    explicit Findings(std::size_t limit) : limit_(limit) {}

    void add(const CopyDifference& difference) {
        auto& list = lists_.at(static_cast<std::size_t>(difference.kind));
        if (list.size() < limit_) list.push_back(difference);
    }

    [[nodiscard]] std::string as_json(const CompareSummary& summary,
                                      const std::vector<std::string>& skipped) const {
        return fmt::format(
            R"({{"equal":{},"by":"{}","missing":{},"different":{},"extra":{},"waiting":{},)"
            R"("skipped":{},"foreign":{},"held":{}}})"
            "\n",
            summary.found.sum() == 0, summary.by_sql ? "sql" : "pages",
            list_json(CopyDifference::Kind::missing, summary.found.missing),
            list_json(CopyDifference::Kind::different, summary.found.different),
            list_json(CopyDifference::Kind::extra, summary.found.extra), summary.waiting.sum(),
            ids_json(summary.skipped, skipped), summary.foreign, summary.held);
    }

    [[nodiscard]] std::string as_text(const CompareSummary& summary,
                                      const std::vector<std::string>& skipped) const {
        std::string out;
        std::int64_t shown = 0;
        for (const auto& list : lists_) {
            for (const CopyDifference& one : list) out += line(one);
            shown += std::ssize(list);
        }
        const std::int64_t rest = summary.found.sum() - shown;
        if (rest > 0) out += fmt::format("… and {} more: --limit N\n", rest);
        for (const std::string& clerk_id : skipped) {
            out += clerk_id + "  skipped: no e-mail, no phone\n";
        }
        const auto& found = summary.found;
        out +=
            fmt::format("{} by {}: {} missing, {} different, {} extra",
                        found.sum() == 0 ? "equal" : "different", summary.by_sql ? "SQL" : "pages",
                        found.missing, found.different, found.extra);
        if (summary.waiting.sum() > 0) {
            out += fmt::format("; {} of them wait for their job", summary.waiting.sum());
        }
        out += fmt::format("; {} skipped, {} Auth users are not rollcall's\n", summary.skipped,
                           summary.foreign);
        if (summary.held > 0) {
            out += fmt::format(
                "{} copies of deleted users are more than sync.delete_guard_users and "
                "sync.delete_guard_ratio allow: none of them is removed before\n`rollcall "
                "deletions approve --from mirror`\n",
                summary.held);
        }
        return out;
    }

private:
    static std::string line(const CopyDifference& one) {
        std::string out = one.clerk_id + "  " + std::string(to_string(one.kind));
        for (const std::string_view field : one.fields) out += " " + std::string(field);
        if (one.kind == CopyDifference::Kind::extra) out += "  Auth user " + one.auth_id;
        return out + (one.waiting ? "  (its job waits)\n" : "\n");
    }
    static std::string item(const CopyDifference& one) {
        std::string out = R"({"clerk_id":)" + json_string(one.clerk_id);
        if (!one.auth_id.empty()) out += R"(,"auth_id":)" + json_string(one.auth_id);
        if (one.kind == CopyDifference::Kind::different) {
            out += R"(,"fields":[)";
            for (const std::string_view field : one.fields) {
                out += (out.back() == '[' ? "" : ",") + json_string(field);
            }
            out += "]";
        }
        return out + R"(,"waiting":)" + (one.waiting ? "true}" : "false}");
    }
    // As `rollcall audit` has them: of users who differ items, of others ids.
    [[nodiscard]] std::string list_json(CopyDifference::Kind kind, std::int64_t total) const {
        const auto& list = lists_.at(static_cast<std::size_t>(kind));
        if (kind == CopyDifference::Kind::missing) {
            std::vector<std::string> ids;
            for (const CopyDifference& one : list) ids.push_back(one.clerk_id);
            return ids_json(total, ids);
        }
        std::string items;
        for (const CopyDifference& one : list) items += (items.empty() ? "" : ",") + item(one);
        return fmt::format(R"({{"total":{},"items":[{}]}})", total, items);
    }
    static std::string ids_json(std::int64_t total, const std::vector<std::string>& ids) {
        std::string out;
        for (const std::string& id : ids) out += (out.empty() ? "" : ",") + json_string(id);
        return fmt::format(R"({{"total":{},"ids":[{}]}})", total, out);
    }

    std::size_t limit_;
    std::array<std::vector<CopyDifference>, 3> lists_;  // by kind
};

Task<int> compare(const Config& config, const Globals& globals, std::size_t limit, pg::Pool& pool) {
    if (auto ready = co_await has_schema(pool); !ready) co_return report(ready.error());
    auto directory = co_await directory::Directory::open(pool, {.columns = config.users});
    if (!directory) co_return report(directory.error());
    const Executor executor = co_await asio::this_coro::executor;
    MetricsRegistry metrics;
    supabase::AuthChannel channel(executor, config.supabase, metrics);
    supabase::HttpAuthApi auth(channel);
    Random random;
    mirror::Compare compare({.pool = pool, .directory = **directory, .auth = auth},
                            compare_config(config, jobs::worker_name(random)));
    Signals signals(executor);
    signals.on_stop([&] { compare.interrupt(); });
    signals.on_second_stop([] { std::_Exit(exit_found); });
    Findings findings(limit);
    const auto summary = co_await compare.look([&](const auto& one) { findings.add(one); });
    if (!summary) co_return report(summary.error());
    const auto skipped = co_await compare.skipped(static_cast<int>(limit));
    fmt::print("{}", globals.json ? findings.as_json(*summary, skipped)
                                  : findings.as_text(*summary, skipped));
    co_return summary->found.sum() == 0 ? exit_ok : exit_found;
}

}  // namespace

int audit_mirror(const Globals& globals, std::size_t limit) {
    const auto config = load_config(globals, {}, {.database = true});
    if (!config) return report(config.error());
    if (!config->mirrors()) {
        return report({ErrorCode::bad_configuration,
                       "there is no mirror: set SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY"});
    }
    // What went well, the command says in its own words.
    if (config->log_level == log::Level::info) log::set_level(log::Level::warn);
    return run_once(*config,
                    [&](pg::Pool& pool) { return compare(*config, globals, limit, pool); });
}

}  // namespace rollcall::cli
