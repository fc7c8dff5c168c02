#include "admin/job_routes.hpp"

#include "admin/bearer.hpp"
#include "admin/job_json.hpp"
#include "admin/query.hpp"
#include "base/clock.hpp"
#include "base/json.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/json.hpp>

namespace rollcall::admin {
namespace {

namespace json = boost::json;

constexpr int page_default = 50;
constexpr int page_max = 500;
constexpr int change_max = 10'000;
constexpr std::chrono::seconds stuck_after{3600};

std::unexpected<Error> refuse(std::string message) {
    return fail(ErrorCode::invalid_input, std::move(message));
}

http::Response answer(const Error& error) {
    return http::Response::error(error);
}

Result<std::int64_t> number(std::string_view key, std::string_view text, std::int64_t max) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > max) {
        return refuse(fmt::format("{} is a number from 1 to {}", key, max));
    }
    return value;
}

Result<std::chrono::milliseconds> age(std::string_view text) {
    const auto parsed = parse_duration(text);
    if (!parsed) return refuse("since is a duration with its unit, as 90m or 1d");
    return *parsed;
}

// A page of a list: how many, and of what age.
struct Page {
    int limit = page_default;
    std::optional<std::chrono::milliseconds> since = std::nullopt;
};

Result<Page> page_of(const http::Request& request) {
    Page page;
    if (const auto limit = request.query_parameter("limit")) {
        const auto parsed = number("limit", *limit, page_max);
        if (!parsed) return std::unexpected(parsed.error());
        page.limit = static_cast<int>(*parsed);
    }
    if (const auto since = request.query_parameter("since")) {
        const auto parsed = age(*since);
        if (!parsed) return std::unexpected(parsed.error());
        page.since = *parsed;
    }
    return page;
}

Result<jobs::JobFilter> filter_of(const http::Request& request) {
    const auto page = page_of(request);
    if (!page) return std::unexpected(page.error());
    return jobs::JobFilter{.status = request.query_parameter("status"),
                           .kind = request.query_parameter("kind"),
                           .subject = request.query_parameter("subject"),
                           .event_id = request.query_parameter("event"),
                           .after = request.query_parameter("after"),
                           .limit = page->limit,
                           .reason = request.query_parameter("reason"),
                           .since = page->since};
}

// What the body of a POST asks for.
struct Asked {
    jobs::JobFilter filter;
    bool all = false;
    bool dry_run = false;
    std::string note;
};

// One member; false where it is of another type, or not known.
Result<bool> take(Asked& asked, std::string_view key, const json::value& value) {
    const std::array texts{
        std::pair("status", &asked.filter.status), std::pair("kind", &asked.filter.kind),
        std::pair("subject", &asked.filter.subject), std::pair("event", &asked.filter.event_id),
        std::pair("reason", &asked.filter.reason)};
    for (const auto& [name, field] : texts) {
        if (key != name || !value.is_string()) continue;
        *field = std::string(value.get_string());
        return !(*field)->empty();
    }
    if (key == "note" && value.is_string()) {
        asked.note = value.get_string();
        return true;
    }
    if (key == "since" && value.is_string()) {
        const auto parsed = age(value.get_string());
        if (!parsed) return std::unexpected(parsed.error());
        asked.filter.since = *parsed;
        return true;
    }
    if (key == "limit" && value.is_int64() && value.get_int64() >= 1 &&
        value.get_int64() <= change_max) {
        asked.filter.limit = static_cast<int>(value.get_int64());
        return true;
    }
    if ((key == "dry_run" || key == "all") && value.is_bool()) {
        (key == "all" ? asked.all : asked.dry_run) = value.get_bool();
        return true;
    }
    return false;
}

// A key that is not known is refused: a misspelt filter would be a wider one.
Result<Asked> asked_by(std::string_view body) {
    boost::system::error_code error;
    const json::value value = json::parse(body, error);
    const json::object* object = error ? nullptr : value.if_object();
    if (object == nullptr) return refuse("the body is a JSON object");
    Asked asked;
    asked.filter.limit = change_max;
    for (const auto& [key, member] : *object) {
        const auto taken = take(asked, key, member);
        if (!taken) return std::unexpected(taken.error());
        if (!*taken) {
            return refuse(fmt::format(
                "{} is not a member of this request, or not of this type; there are status, kind, "
                "subject, event, reason, since, limit, all, dry_run, note",
                std::string_view(key)));
        }
    }
    return asked;
}

class JobRoutes {
public:
    JobRoutes(pg::Pool& pool, jobs::QueueAdmin& queue) : pool_(pool), queue_(queue) {}

    Task<http::Response> list(http::Request& request) {
        const auto filter = filter_of(request);
        if (!filter) co_return answer(filter.error());
        const auto page = co_await queue_.list(*filter);
        if (!page) co_return answer(page.error());
        co_return http::Response::json(200, to_json(*page));
    }

    Task<http::Response> show(http::Request& request) {
        const std::string id = request.path_parameters["id"];
        const bool reveal = request.query_parameter("reveal") == "true";
        const auto job = co_await queue_.show(id);
        if (!job) co_return answer(job.error());
        // Told first: what could not be told is not shown.
        if (reveal) co_await queue_.revealed(id, actor_of(request));
        co_return http::Response::json(200,
                                       to_json(*job, reveal ? Personal::shown : Personal::masked));
    }

    Task<http::Response> stats(http::Request&) {
        const auto counts = co_await queue_.stats();
        const auto stuck = co_await queue_.stuck(stuck_after);
        co_return http::Response::json(200, to_json(counts, stuck));
    }

    Task<http::Response> reasons(http::Request& request) {
        co_return http::Response::json(
            200, to_json(co_await queue_.reasons(request.query_parameter("kind"))));
    }

    Task<http::Response> change_one(jobs::Verb verb, http::Request& request) {
        const std::string id = request.path_parameters["id"];
        const auto asked = asked_by(request.body.empty() ? "{}" : request.body);
        if (!asked) co_return answer(asked.error());
        if (!asked->filter.empty() || asked->all || asked->dry_run) {
            co_return answer({ErrorCode::invalid_input, "a single job takes a note only"});
        }
        const jobs::Order order{.by = actor_of(request), .note = asked->note};
        const bool retry = verb == jobs::Verb::retry;
        const auto done =
            retry ? co_await queue_.retry(id, order) : co_await queue_.cancel(id, order);
        if (!done) co_return answer(done.error());
        co_return http::Response::json(200, fmt::format(R"({{"id":{},"{}":true}})", json_string(id),
                                                        retry ? "retry" : "cancel"));
    }

    Task<http::Response> change_many(jobs::Verb verb, http::Request& request) {
        const auto asked = asked_by(request.body);
        if (!asked) co_return answer(asked.error());
        if (asked->filter.empty() != asked->all) {
            co_return answer(
                {ErrorCode::invalid_input, "say which jobs by a filter, or \"all\": true instead"});
        }
        const auto changed = co_await queue_.change(verb, asked->filter, asked->dry_run,
                                                    {.by = actor_of(request), .note = asked->note});
        if (!changed) co_return answer(changed.error());
        co_return http::Response::json(200, to_json(verb, *changed, asked->dry_run));
    }

    Task<http::Response> audit_log(http::Request& request) {
        const auto page = page_of(request);
        if (!page) co_return answer(page.error());
        audit::EntryFilter filter{.action = request.query_parameter("action"),
                                  .target = request.query_parameter("target"),
                                  .since = page->since,
                                  .before = std::nullopt,
                                  .limit = page->limit};
        if (const auto after = request.query_parameter("after")) {
            const auto parsed = number("after", *after, std::numeric_limits<std::int64_t>::max());
            if (!parsed) co_return answer(parsed.error());
            filter.before = *parsed;
        }
        co_return http::Response::json(200, to_json(co_await audit::list(pool_, filter)));
    }

private:
    pg::Pool& pool_;
    jobs::QueueAdmin& queue_;
};

}  // namespace

Actor actor_of(const http::Request& request) {
    return {.kind = Actor::Kind::user,
            .name = "",
            .ip = request.remote_address,
            .request_id = request.request_id};
}

void add_job_routes(http::Router& router, const Secret& token, pg::Pool& pool,
                    jobs::QueueAdmin& queue, std::function<bool()> has_schema) {
    const auto routes = std::make_shared<JobRoutes>(pool, queue);
    using Names = std::vector<std::string_view>;
    const auto add = [&](std::string_view method, std::string path, auto handle, Names query = {}) {
        router.add({method}, std::move(path),
                   with_bearer(token,
                               [routes, has_schema, handle, query = std::move(query)](
                                   http::Request& request) -> Task<http::Response> {
                                   if (!has_schema()) throw Unavailable("no schema yet");
                                   const auto sound = check_query(request, query);
                                   if (!sound) co_return answer(sound.error());
                                   co_return co_await handle(*routes, request);
                               }));
    };
    const auto one = [](jobs::Verb verb) {
        return
            [verb](JobRoutes& to, http::Request& request) { return to.change_one(verb, request); };
    };
    const auto many = [](jobs::Verb verb) {
        return
            [verb](JobRoutes& to, http::Request& request) { return to.change_many(verb, request); };
    };
    add("GET", "/api/v1/jobs", std::mem_fn(&JobRoutes::list),
        {"status", "kind", "subject", "event", "reason", "since", "limit", "after"});
    add("GET", "/api/v1/jobs/stats", std::mem_fn(&JobRoutes::stats));
    add("GET", "/api/v1/jobs/reasons", std::mem_fn(&JobRoutes::reasons), {"kind"});
    add("GET", "/api/v1/jobs/{id}", std::mem_fn(&JobRoutes::show), {"reveal"});
    add("POST", "/api/v1/jobs/retry", many(jobs::Verb::retry));
    add("POST", "/api/v1/jobs/cancel", many(jobs::Verb::cancel));
    add("POST", "/api/v1/jobs/{id}/retry", one(jobs::Verb::retry));
    add("POST", "/api/v1/jobs/{id}/cancel", one(jobs::Verb::cancel));
    add("GET", "/api/v1/audit", std::mem_fn(&JobRoutes::audit_log),
        {"action", "target", "since", "limit", "after"});
}

}  // namespace rollcall::admin
