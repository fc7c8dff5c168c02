#include "base/metrics.hpp"
#include "cli/doctor.hpp"
#include "jobs/metrics.hpp"
#include "jobs/queue_admin.hpp"
#include "mirror/compare_record.hpp"
#include "mirror/copies.hpp"
#include "supabase/auth_channel.hpp"
#include "supabase/auth_key.hpp"
#include "supabase/auth_user.hpp"

#include <fmt/format.h>

#include <cstdint>

namespace rollcall::cli {
namespace {

constexpr double behind_seconds = 900;

std::string_view name_of(const Secret& key) {
    return supabase::kind_of_key(key.reveal()) == supabase::KeyKind::secret
               ? "secret key (sb_secret_…)"
               : "service_role key (a JWT)";
}

std::string advice_on(const Config& config, const supabase::AuthError& error) {
    if (error.fault == supabase::AuthFault::key_refused) {
        return "check SUPABASE_SERVICE_ROLE_KEY: Supabase's dashboard, API keys; of the same "
               "project as SUPABASE_URL";
    }
    return "check SUPABASE_URL, and the network from here to " + config.supabase.url;
}

// One of the two alone is a mistake, or an application's environment.
void check_missing(const Config& config, Findings& findings) {
    const bool url = !config.supabase.url.empty();
    if (!url && config.supabase.key.empty()) return;
    findings.warn(
        "supabase",
        fmt::format("only {} is set: there is no mirror",
                    url ? "SUPABASE_URL" : "SUPABASE_SERVICE_ROLE_KEY"),
        fmt::format("set {} too, or neither", url ? "SUPABASE_SERVICE_ROLE_KEY" : "SUPABASE_URL"));
}

// Nobody takes them where the settings got lost.
void check_waiting(std::int64_t jobs, Findings& findings) {
    if (jobs == 0) return;
    findings.warn(
        "mirror", fmt::format("there is none by these settings, but {} users wait for it", jobs),
        "were SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY there before? Else docs/mirror.md, "
        "Switching it off");
}

// Also where a later comparison came to no end.
void check_held(const mirror::Compared& last, Findings& findings) {
    if (last.held == 0) return;
    if (last.allowed > 0) {
        findings.ok("mirror_held", fmt::format("{} removals are approved, and go with the next "
                                               "comparison",
                                               last.allowed));
        return;
    }
    findings.warn("mirror_held",
                  fmt::format("{} copies of nobody living are too many to be removed by themselves",
                              last.held),
                  "rollcall audit --mirror names them; rollcall deletions approve --from mirror "
                  "lets them go");
}

// What the comparison of all copies with the rows has to say.
void check_comparison(const mirror::Compared& last, Findings& findings) {
    check_held(last, findings);
    if (last.failed_at) {
        findings.warn("mirror_compared",
                      fmt::format("the comparison of {} came to no end: {}",
                                  to_rfc3339(*last.failed_at), last.failure),
                      "is check `supabase` well? It is tried again by itself");
    } else if (!last.at) {
        findings.warn("mirror_compared", "copies and rows were never compared",
                      "is a process with the mirror's settings running? It does so at its start");
    } else {
        findings.ok("mirror_compared", fmt::format("{}: {} were not as their row",
                                                   to_rfc3339(*last.at), last.drift.sum()));
    }
}

}  // namespace

Task<> check_supabase(Executor executor, const Config& config, Findings& findings) {
    if (!config.mirrors()) co_return check_missing(config, findings);
    MetricsRegistry unseen;
    supabase::AuthChannel channel(executor, config.supabase, unseen);
    const std::string_view key = name_of(config.supabase.key);
    const auto answer = co_await channel.send(
        {.operation = "list_users", .target = "/users?page=1&per_page=1", .body = ""});
    if (!answer) {
        findings.fail("supabase", fmt::format("{}, with a {}", answer.error().message, key),
                      advice_on(config, answer.error()));
        co_return;
    }
    if (!supabase::parse_auth_users(answer->body)) {
        findings.fail("supabase", "what answers there is not Supabase Auth",
                      "is SUPABASE_URL the project's own address?");
        co_return;
    }
    findings.ok("supabase", fmt::format("{} answers, the {} is good", config.supabase.url, key));
    if (const auto offset = date_offset(*answer)) {
        check_offset("supabase_clock", "Supabase's", *offset, findings);
    }
}

Task<> check_mirror(pg::Pool& pool, const Config& config, Findings& findings) {
    const auto counts = co_await mirror::Copies(pool).counts();
    if (!config.mirrors()) co_return check_waiting(counts.pending, findings);
    const std::string told = fmt::format(
        "{} wait, {} were given up, {} have neither address nor "
        "number",
        counts.pending, counts.dead, counts.skipped);
    double oldest = 0;
    for (const auto& depth : co_await jobs::QueueAdmin(pool).depth()) {
        if (depth.queue == jobs::queue_mirror) oldest = depth.oldest_ready_age_seconds;
    }
    if (oldest > behind_seconds) {
        findings.warn("mirror", fmt::format("behind by {:.0f} minutes: {}", oldest / 60, told),
                      "is a process with the mirror's settings and the role worker running, and "
                      "is check `supabase` well?");
    } else if (counts.dead > 0) {
        findings.warn("mirror", told,
                      "rollcall jobs list --status FAILED --kind MIRROR_USER; mend the cause, then "
                      "jobs retry");
    } else {
        findings.ok("mirror", told);
    }
    check_comparison(co_await mirror::CompareRecord(pool).last(), findings);
}

}  // namespace rollcall::cli
