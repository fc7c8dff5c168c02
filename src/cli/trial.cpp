#include "cli/trial.hpp"

#include "base/clock.hpp"
#include "base/json_document.hpp"
#include "base/random.hpp"
#include "base/timeout.hpp"
#include "cli/migrations.hpp"
#include "cli/version.hpp"
#include "http/certificate.hpp"
#include "http/client.hpp"
#include "http/upstream.hpp"
#include "jobs/queue_admin.hpp"
#include "jobs/reason.hpp"
#include "pg/migrator.hpp"
#include "webhooks/signature.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <expected>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

namespace rollcall::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view webhook_path = "/webhooks/clerk";
constexpr milliseconds request_limit{15'000};
constexpr milliseconds look_interval{250};
constexpr std::size_t shown_bytes_max = 200;
// Who renews certificates by themselves does so a month before they end.
constexpr std::chrono::days certificate_left_min{14};

// Where the path begins, or the end.
std::size_t path_of(std::string_view url) {
    const std::size_t host = url.find("://");
    return std::min(url.find('/', host == std::string_view::npos ? 0 : host + 3), url.size());
}

std::string member(std::string_view json, std::string_view name) {
    JsonDocument document;
    const auto root = document.parse(json);
    if (!root) return "";
    const auto found = root->at_key(name);
    if (found.error()) return "";
    return std::string(as_string(found.value_unsafe()).value_or(""));
}

// What came from outside, for a line.
std::string shown(const http::Response& answer) {
    return fmt::format("answered {}: {}", answer.status,
                       jobs::clean_reason(answer.body.substr(0, shown_bytes_max)));
}

// What became of the job.
struct JobState {
    std::string status;  // "": there is no such job
    std::string error;
};

class SelfTest {
public:
    SelfTest(Executor executor, pg::Pool& pool, const Config& config, SelfTestTarget target,
             Findings& findings)
        : pool_(pool),
          config_(config),
          target_(std::move(target)),
          findings_(findings),
          client_(executor, {.user_agent = fmt::format("rollcall/{} self-test", version())}),
          deployment_(client_,
                      {.name = "deployment",
                       .operations = {"self_test"},
                       .breaker = {.failures_max = std::numeric_limits<int>::max()}},
                      metrics_) {}

    Task<int> run() {
        if (target_.url.starts_with("https://")) {
            if (const int code = co_await check_certificate(); code != exit_ok) co_return code;
        }
        std::string job;
        if (const int code = co_await deliver(job); code != exit_ok) co_return code;
        if (const int code = co_await wait_for(job); code != exit_ok) co_return code;
        for (const std::string_view route : {"/livez", "/readyz"}) {
            if (const int code = co_await check_health(route); code != exit_ok) co_return code;
        }
        if (!target_.admin_url.empty()) {
            if (const int code = co_await check_metrics(); code != exit_ok) co_return code;
        }
        co_return asks_database() ? co_await check_schema() : exit_ok;
    }

private:
    [[nodiscard]] bool asks_database() const { return !config_.database.url.empty(); }

    // Nothing, and a finding, when nobody answered.
    Task<std::optional<http::Response>> send(std::string step, http::ClientRequest request) {
        const std::string url = request.url;
        request.timeout = request_limit;
        auto attempt = co_await deployment_.send("self_test", std::move(request));
        if (!attempt.response) {
            findings_.fail(std::move(step), "no answer: " + attempt.failure,
                           "is it up, and is " + url + " its address from here?");
        }
        co_return std::move(attempt.response);
    }

    // That nobody answers at all is the delivery's to say.
    Task<int> check_certificate() {
        const auto look = co_await http::look_at_certificate(target_.url, request_limit);
        if (!look.refusal.empty()) {
            findings_.fail("certificate", "is refused: " + look.refusal,
                           "Clerk refuses it, too: renew it, and let the server send the whole "
                           "chain, for the name in the URL");
            co_return exit_found;
        }
        if (!look.end) co_return exit_ok;
        const auto left = std::chrono::floor<std::chrono::days>(*look.end - real_clock().now());
        const std::string when = fmt::format("ends in {} days", left.count());
        if (left < certificate_left_min) {
            findings_.warn("certificate", when, "renew it: when it has ended no webhook arrives");
        } else {
            findings_.ok("certificate", when);
        }
        co_return exit_ok;
    }

    http::ClientRequest delivery() {
        const auto secrets = webhooks::SigningSecrets::parse(config_.webhook_secrets);
        ensure(secrets && secrets->size() > 0, "self-test: checked before");
        const SystemTime now = real_clock().now();
        const std::int64_t now_ms = now.time_since_epoch().count();
        const std::string id = "self_test_" + to_string(uuid_v7(now_ms, random_));
        const std::string timestamp = std::to_string(now_ms / 1000);
        http::ClientRequest request{.method = "POST", .url = target_.delivery_url()};
        request.body = fmt::format(R"({{"object":"event","type":"rollcall.self_test",)"
                                   R"("timestamp":{},"data":{{"id":"{}"}}}})",
                                   now_ms, id);
        request.headers.add("Content-Type", "application/json");
        request.headers.add("svix-id", id);
        request.headers.add("svix-timestamp", timestamp);
        request.headers.add("svix-signature", secrets->sign(0, id, timestamp, request.body));
        return request;
    }

    Task<int> deliver(std::string& job) {
        const auto answer = co_await send("delivery", delivery());
        if (!answer) co_return exit_unavailable;
        job = member(answer->body, "jobId");
        if (answer->status == 202 && !job.empty()) {
            findings_.ok("delivery", fmt::format("taken as job {}", job));
            co_return exit_ok;
        }
        findings_.fail("delivery", shown(*answer), advice_on(*answer));
        co_return answer->status == 503 ? exit_unavailable : exit_found;
    }

    static std::string advice_on(const http::Response& answer) {
        switch (answer.status) {
            case 200:
                return "the deployment is of a rollcall that knows no self-test: is the new build "
                       "out?";
            case 401:
                return "CLERK_WEBHOOK_SECRET here is not the deployment's, or a clock is off by "
                       "more than 300 s";
            case 404:
            case 405:
                return "is this rollcall's public address, and does the process take webhooks "
                       "(role ingest, mode not polling)?";
            case 503:
                return "the deployment cannot reach its database: see its /readyz?verbose";
            default:
                return "what stands before the deployment answers in its place?";
        }
    }

    Task<int> wait_for(const std::string& job) {
        const auto begun = real_clock().steady();
        const auto end = begun + target_.wait;
        for (;;) {
            const auto state = co_await (asks_database() ? ask_database(job) : ask_admin(job));
            if (!state) co_return state.error();
            if (state->status == "COMPLETED") {
                const std::chrono::duration<double> took = real_clock().steady() - begun;
                findings_.ok("job", fmt::format("ran within {:.1f} s", took.count()));
                co_return exit_ok;
            }
            if (state->status == "FAILED" || state->status == "CANCELLED") {
                findings_.fail("job", fmt::format("is {}: {}", state->status, state->error),
                               "rollcall jobs show " + job);
                co_return exit_found;
            }
            if (real_clock().steady() >= end && state->status.empty()) co_return unknown_job();
            if (real_clock().steady() >= end) {
                findings_.fail("job",
                               fmt::format("is still {} after {} s", state->status,
                                           target_.wait.count() / 1000),
                               "is a process of this build with the role worker running?");
                co_return exit_try_again;
            }
            co_await sleep(look_interval);
        }
    }

    int unknown_job() {
        const std::string waited = fmt::format(" after {} s", target_.wait.count() / 1000);
        if (asks_database()) {
            findings_.fail("job", "is not in this database" + waited,
                           "DATABASE_URL here is not the deployment's database, or its webhooks "
                           "wait in a spool");
        } else {
            findings_.fail("job", "is not known to the admin listener" + waited,
                           "--admin-url is not the deployment's, or its webhooks wait in a spool");
        }
        return exit_found;
    }

    Task<std::expected<JobState, int>> ask_database(std::string job) {
        const auto found = co_await jobs::QueueAdmin(pool_).show(job);
        if (!found) co_return JobState{};  // it may still come, from a spool
        co_return JobState{found->summary.status, found->summary.error};
    }

    Task<std::expected<JobState, int>> ask_admin(std::string job) {
        http::ClientRequest request{.url = target_.admin_url + "/api/v1/jobs/" + job};
        request.headers.add("Authorization", "Bearer " + std::string(config_.admin_token.reveal()));
        const auto answer = co_await send("job", std::move(request));
        if (!answer) co_return std::unexpected(exit_unavailable);
        if (answer->status == 404) co_return JobState{};  // as above
        JobState state{member(answer->body, "status"), member(answer->body, "error")};
        if (answer->status == 200 && !state.status.empty()) co_return state;
        findings_.fail("job", shown(*answer),
                       answer->status == 401
                           ? "ROLLCALL_ADMIN_TOKEN here is not the deployment's"
                           : "is --admin-url its admin listener, of the same deployment?");
        co_return std::unexpected(exit_found);
    }

    Task<int> check_health(std::string_view route) {
        const std::string step(route.substr(1));
        const auto answer = co_await send(step, {.url = target_.origin() + std::string(route)});
        if (!answer) co_return exit_unavailable;
        if (answer->status == 200) {
            findings_.ok(step, "200");
            co_return exit_ok;
        }
        findings_.fail(step, shown(*answer),
                       "it took the delivery all the same: do all instances run, and does the "
                       "balancer let this path through?");
        co_return exit_found;
    }

    Task<int> check_metrics() {
        const auto answer = co_await send("metrics", {.url = target_.admin_url + "/metrics"});
        if (!answer) co_return exit_unavailable;
        const std::string page = "\n" + answer->body;
        if (answer->status != 200 || !page.contains("\nrollcall_build_info{")) {
            findings_.fail("metrics", fmt::format("no metrics of rollcall's: {}", answer->status),
                           "is --admin-url the admin listener?");
            co_return exit_found;
        }
        if (page.contains("\nrollcall_users_table_takes_no_change 1")) {
            findings_.fail("metrics", "the users table takes no change at all",
                           "rollcall doctor says why: a privilege, a trigger, a constraint");
            co_return exit_found;
        }
        findings_.ok("metrics", "there, and the users table takes changes");
        co_return exit_ok;
    }

    Task<int> check_schema() {
        const auto current = co_await pg::Migrator(pool_, migrations()).up_to_date();
        if (current && *current) {
            findings_.ok("schema", "is what this build needs");
            co_return exit_ok;
        }
        findings_.fail("schema", current ? "is behind this build" : current.error().message,
                       current ? "run: rollcall migrate" : "use the rollcall that made it");
        co_return exit_found;
    }

    pg::Pool& pool_;
    const Config& config_;
    SelfTestTarget target_;
    Findings& findings_;
    MetricsRegistry metrics_;  // nobody's
    http::Client client_;
    http::Upstream deployment_;
    Random random_;
};

}  // namespace

std::string SelfTestTarget::delivery_url() const {
    const std::string_view path = std::string_view(url).substr(path_of(url));
    return path.empty() || path == "/" ? origin() + std::string(webhook_path) : url;
}

std::string SelfTestTarget::origin() const {
    return url.substr(0, path_of(url));
}

Result<void> check_self_test(const Config& config, const SelfTestTarget& target) {
    if (config.webhook_secrets.empty()) {
        return fail(ErrorCode::bad_configuration,
                    "the self-test signs an event: set CLERK_WEBHOOK_SECRET as the deployment "
                    "has it");
    }
    const bool by_admin = !target.admin_url.empty() && !config.admin_token.empty();
    if (config.database.url.empty() && !by_admin) {
        return fail(ErrorCode::bad_configuration,
                    "nothing says whether the job runs: set DATABASE_URL, or --admin-url and "
                    "ROLLCALL_ADMIN_TOKEN");
    }
    return {};
}

Task<int> self_test(Executor executor, pg::Pool& pool, const Config& config, SelfTestTarget target,
                    Findings& findings) {
    while (target.admin_url.ends_with('/')) target.admin_url.pop_back();
    SelfTest test(executor, pool, config, std::move(target), findings);
    co_return co_await test.run();
}

}  // namespace rollcall::cli
