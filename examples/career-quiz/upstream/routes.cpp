#include "routes.hpp"

#include <string_view>
#include <utility>

namespace quiz {
namespace {

using httplib::Request;
using httplib::Response;

void problem(Response& response, int status, const std::string& title) {
    response.status = status;
    response.set_content(R"({"title":")" + title + R"(","status":)" + std::to_string(status) + "}",
                         "application/problem+json");
}

void reply(Response& response, const Json& json) {
    if (!json) return problem(response, 404, "there is no such thing of yours");
    response.set_content(*json, "application/json");
}

// `ask` is a protected endpoint: (user, request) → Json.
template <typename Ask>
httplib::Server::Handler own(Ask ask) {
    return [ask](const Request& request, Response& response) {
        const bool named = request.get_header_value_count("X-Rollcall-User-Id") == 1;
        const std::string user = named ? request.get_header_value("X-Rollcall-User-Id") : "";
        if (user.empty()) return problem(response, 401, "nobody is signed in");
        // Text of PostgreSQL ends there: what follows would go unseen.
        if (request.body.find('\0') != std::string::npos) {
            return problem(response, 400, "the request cannot be read");
        }
        reply(response, ask(user, request));
    };
}

void failure(Response& response, const std::exception_ptr& cause) {
    try {
        std::rethrow_exception(cause);
    } catch (const caller::DatabaseError& refused) {
        // PostgreSQL, appendix A: 22 is a value that cannot be, 23 one that a constraint refuses.
        const std::string_view state = refused.sqlstate;
        if (state.starts_with("22") || state.starts_with("23")) {
            return problem(response, 400, "the request cannot be read");
        }
        if (state == "42501") return problem(response, 403, "this is not yours to do");
        problem(response, 503, "the database gives no answer; try again");
    } catch (const std::exception&) {
        problem(response, 500, "this should not happen");
    }
}

}  // namespace

void add_routes(httplib::Server& server, const QuizData& data, std::string page) {
    server.set_default_headers(
        {{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}});
    server.set_exception_handler([](const Request&, Response& response, std::exception_ptr cause) {
        failure(response, cause);
    });

    server.Get("/quiz", [page = std::move(page)](const Request&, Response& response) {
        response.set_content(page, "text/html; charset=utf-8");
    });
    server.Get("/api/subjects/list", [&data](const Request& request, Response& response) {
        const bool some = request.has_param("kind");
        reply(response, data.subjects(some ? caller::Value(request.get_param_value("kind"))
                                           : caller::Value()));
    });

    server.Get("/api/user/preferences", own([&data](const std::string& user, const Request&) {
                   return data.preferences(user);
               }));
    server.Put("/api/user/preferences",
               own([&data](const std::string& user, const Request& request) {
                   return data.save_preferences(user, request.body);
               }));
    server.Get("/api/user/data", own([&data](const std::string& user, const Request&) {
                   return data.exported(user);
               }));
    server.Delete("/api/user/data", own([&data](const std::string& user, const Request&) {
                      return data.erase(user);
                  }));
    server.Post("/api/quiz/session/save",
                own([&data](const std::string& user, const Request& request) {
                    return data.save_session(user, request.body);
                }));
    server.Get("/api/quiz/session/([^/]+)",
               own([&data](const std::string& user, const Request& request) {
                   return data.session(user, request.matches[1]);
               }));
}

}  // namespace quiz
