// The admin API's routes for jobs and the audit log, from the request to the rows.
#include "admin/job_routes.hpp"

#include "audit/audit_log.hpp"
#include "migrated_fixture.hpp"

#include <boost/json.hpp>

namespace rollcall::admin {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using testing::Not;

constexpr const char* nobody = "01a2003d-b678-77f8-bc5d-f45e2b4b6a49";

class AdminJobs : public test::MigratedTest {
protected:
    AdminJobs() : MigratedTest("public.job_queue, rollcall.ledger") {
        add_job_routes(router, Secret("token-1"), pool, queue, [this] { return migrated; });
    }

    http::Response ask(const std::string& method, const std::string& target,
                       const std::string& body = "", const std::string& token = "token-1") {
        http::Request request;
        request.method = method;
        request.target = target;
        request.path = target.substr(0, target.find('?'));
        request.query = target.contains('?') ? target.substr(target.find('?') + 1) : "";
        request.headers.add("Authorization", "Bearer " + token);
        request.body = body;
        request.remote_address = "10.0.0.9";
        request.request_id = "request-1";
        const auto match = router.find(request);
        if (match.route == nullptr || !match.method_allowed) return http::Response::text(404, "");
        return run(match.route->handler(request));
    }
    json::value get(const std::string& target) {
        const auto answer = ask("GET", target);
        EXPECT_EQ(answer.status, 200U) << answer.body;
        return json::parse(answer.body);
    }
    unsigned status_of(const std::string& target, const std::string& body = "") {
        return ask("POST", target, body).status;
    }
    [[nodiscard]] std::string made(const std::string& state,
                                   const std::string& error = "Clerk: timeout") const {
        return sql(fmt::format(
            "INSERT INTO job_queue (job_type, status, subject, error, original_event, "
            "payload) VALUES ('USER_UPDATED', '{}', 'user_1', '{}', '{{\"secret\":1}}', "
            "'{{\"clerk_id\":\"user_1\",\"email\":\"ann@example.com\",\"name\":\"Ann\"}}') "
            "RETURNING id",
            state, error));
    }
    [[nodiscard]] std::string state(const std::string& id) const {
        return sql(fmt::format("SELECT status FROM job_queue WHERE id = '{}'", id));
    }
    [[nodiscard]] std::string entries(const std::string& id) const {
        return sql(
            fmt::format("SELECT coalesce(string_agg(concat_ws(' ', actor, actor_ip, request_id, "
                        "action, reason), '; ' ORDER BY id), '') FROM rollcall.audit_log "
                        "WHERE target = '{}'",
                        id));
    }

    jobs::QueueAdmin queue{pool};
    http::Router router;
    bool migrated = true;
};

TEST_F(AdminJobs, WantsTheTokenAndTheSchema) {
    const auto id = made("FAILED");
    for (const auto& [method, target] :
         {std::pair("GET", "/api/v1/jobs"), std::pair("GET", "/api/v1/jobs/stats"),
          std::pair("GET", "/api/v1/audit"), std::pair("POST", "/api/v1/jobs/retry")}) {
        EXPECT_EQ(ask(method, target, "{}", "wrong").status, 401U) << target;
    }
    EXPECT_EQ(ask("POST", "/api/v1/jobs/" + id + "/retry", "", "wrong").status, 401U);
    EXPECT_EQ(state(id), "FAILED");
    migrated = false;
    EXPECT_THROW(ask("GET", "/api/v1/jobs"), Unavailable);
}

TEST_F(AdminJobs, ListsByFilterInPages) {
    for (int i = 0; i < 3; ++i) (void)made("FAILED");
    (void)made("PENDING", "busy");
    const auto first = get("/api/v1/jobs?status=FAILED&reason=TIMEOUT&limit=2");
    EXPECT_EQ(first.at("jobs").as_array().size(), 2U);
    const auto next = get("/api/v1/jobs?status=FAILED&limit=2&after=" +
                          std::string(first.at("next").as_string()));
    EXPECT_EQ(next.at("jobs").as_array().size(), 1U);
    EXPECT_TRUE(next.at("next").is_null());
    EXPECT_EQ(get("/api/v1/jobs?subject=user_2").at("jobs").as_array().size(), 0U);
    EXPECT_EQ(get("/api/v1/jobs?since=1h&kind=USER_UPDATED").at("jobs").as_array().size(), 4U);
    for (const auto* query :
         {"status=DONE", "limit=0", "limit=x", "limit=501", "since=1", "after=x"}) {
        EXPECT_EQ(ask("GET", std::string("/api/v1/jobs?") + query).status, 400U) << query;
    }
    const auto reasons = get("/api/v1/jobs/reasons").at("reasons").as_array();
    ASSERT_EQ(reasons.size(), 1U);
    EXPECT_EQ(reasons[0].at("count").as_int64(), 3);
    EXPECT_EQ(get("/api/v1/jobs/stats").at("jobs").as_array().size(), 2U);
}

TEST_F(AdminJobs, AQueryThatIsMisspeltIsRefusedSinceItWouldBeAWiderOne) {
    const auto id = made("FAILED");
    for (const auto& target :
         {std::string("/api/v1/jobs?stauts=FAILED"), std::string("/api/v1/jobs?kind=%ff"),
          std::string("/api/v1/jobs?status=FAILED&status=PENDING"),
          std::string("/api/v1/jobs/reasons?kinds=USER_CREATED"),
          std::string("/api/v1/jobs/stats?kind=USER_CREATED"),
          "/api/v1/jobs/" + id + "?revael=true", std::string("/api/v1/audit?before=1"),
          std::string("/api/v1/audit?&after=1")}) {
        EXPECT_EQ(ask("GET", target).status, 400U) << target;
    }
    EXPECT_THAT(ask("GET", "/api/v1/jobs?stauts=FAILED").body, HasSubstr("there are status, kind"));
    EXPECT_EQ(status_of("/api/v1/jobs/retry?dry_run=true", R"({"all":true})"), 400U);
    EXPECT_EQ(state(id), "FAILED");
}

TEST_F(AdminJobs, PersonalDataIsMaskedUnlessAskedForAndThenThatIsTold) {
    const auto id = made("FAILED");
    const auto masked = ask("GET", "/api/v1/jobs/" + id);
    EXPECT_EQ(masked.status, 200U);
    for (const auto* personal : {"ann@example.com", "Ann", "secret"}) {
        EXPECT_THAT(masked.body, Not(HasSubstr(personal)));
    }
    EXPECT_EQ(json::parse(masked.body).at("payload").at("email").as_string(), "***");
    EXPECT_EQ(json::parse(masked.body).at("payload").at("clerk_id").as_string(), "user_1");
    EXPECT_EQ(entries(id), "");
    const auto shown = get("/api/v1/jobs/" + id + "?reveal=true");
    EXPECT_EQ(shown.at("payload").at("email").as_string(), "ann@example.com");
    EXPECT_FALSE(shown.at("original_event").is_null());
    EXPECT_EQ(entries(id), "user 10.0.0.9 request-1 job.reveal");
}

TEST_F(AdminJobs, ChangesOneJobOrSaysWhyNot) {
    const auto id = made("FAILED");
    const auto path = "/api/v1/jobs/" + id;
    EXPECT_EQ(status_of(path + "/cancel"), 409U);
    EXPECT_EQ(status_of(path + "/retry", R"({"note":"mended"})"), 200U);
    EXPECT_EQ(state(id), "PENDING");
    EXPECT_EQ(status_of(path + "/retry"), 409U);
    EXPECT_EQ(status_of(path + "/cancel"), 200U);
    EXPECT_EQ(entries(id),
              "user 10.0.0.9 request-1 job.retry mended; user 10.0.0.9 request-1 job.cancel");
    const std::string unknown = std::string("/api/v1/jobs/") + nobody;
    EXPECT_EQ(ask("GET", unknown).status, 404U);
    EXPECT_EQ(status_of(unknown + "/retry"), 404U);
    EXPECT_EQ(ask("GET", "/api/v1/jobs/7").status, 400U);
    EXPECT_EQ(status_of("/api/v1/jobs/7/cancel"), 400U);
    EXPECT_EQ(status_of(path + "/retry", R"({"status":"FAILED"})"), 400U);
}

TEST_F(AdminJobs, ChangesManyByAFilterThatIsTakenToTheLetter) {
    const auto a = made("FAILED");
    const auto b = made("FAILED", "Clerk: 422");
    const auto dry = ask("POST", "/api/v1/jobs/retry", R"({"reason":"timeout","dry_run":true})");
    EXPECT_EQ(json::parse(dry.body),
              json::parse(fmt::format(R"({{"verb":"retry","dry_run":true,"matched":1,"changed":0,)"
                                      R"("more":false,"ids":["{}"]}})",
                                      a)));
    EXPECT_EQ(state(a), "FAILED");
    // Neither a filter nor all; both; a key or a type that is none.
    for (const auto* body :
         {"", "{}", "[]", "x", R"({"dry_run":true})", R"({"all":true,"kind":"USER_UPDATED"})",
          R"({"knid":"USER_UPDATED"})", R"({"kind":7})", R"({"kind":""})", R"({"all":"yes"})",
          R"({"status":"PENDING"})", R"({"reason":"x","limit":0})", R"({"since":"soon"})"}) {
        EXPECT_EQ(status_of("/api/v1/jobs/retry", body), 400U) << body;
    }
    EXPECT_EQ(state(a) + state(b), "FAILEDFAILED");
    const auto done = ask("POST", "/api/v1/jobs/retry", R"({"reason":"timeout","note":"mended"})");
    EXPECT_EQ(json::parse(done.body).at("changed").as_int64(), 1);
    EXPECT_EQ(state(a) + state(b), "PENDINGFAILED");
    EXPECT_EQ(status_of("/api/v1/jobs/cancel", R"({"all":true})"), 200U);
    EXPECT_EQ(state(a) + state(b), "CANCELLEDFAILED");
}

TEST_F(AdminJobs, TheAuditLogIsReadNewestFirst) {
    const auto id = made("PENDING");
    EXPECT_EQ(status_of("/api/v1/jobs/" + id + "/cancel", R"({"note":"not wanted"})"), 200U);
    EXPECT_EQ(status_of("/api/v1/jobs/" + id + "/retry"), 200U);
    const auto page = get("/api/v1/audit?limit=1&target=" + id);
    const auto& entry = page.at("entries").at(0);
    EXPECT_EQ(entry.at("action").as_string(), "job.retry");
    EXPECT_EQ(entry.at("detail").at("was").as_string(), "CANCELLED");
    const auto older = get(
        fmt::format("/api/v1/audit?target={}&since=1h&after={}", id, page.at("next").as_int64()));
    EXPECT_EQ(older.at("entries").at(0).at("reason").as_string(), "not wanted");
    EXPECT_TRUE(older.at("next").is_null());
    EXPECT_EQ(get("/api/v1/audit?action=migrate&target=" + id).at("entries").as_array().size(), 0U);
    EXPECT_EQ(ask("GET", "/api/v1/audit?after=x").status, 400U);
}

TEST_F(AdminJobs, OldEntriesArePruned) {
    const auto old = [&] {
        return sql(
            "SELECT count(*) FROM rollcall.audit_log WHERE at < now() - interval '400 days'");
    };
    sql("INSERT INTO rollcall.audit_log (at, actor, action) "
        "SELECT now() - n * interval '90 days', 'cli', 'migrate' FROM generate_series(1, 7) n");
    EXPECT_EQ(old(), "3");
    EXPECT_EQ(run(audit::prune(pool, std::chrono::days(400), 1000)), 3);
    EXPECT_EQ(old(), "0");
}

}  // namespace
}  // namespace rollcall::admin
