// One connection of a server: reads requests, has them handled, writes the answers, in order.
// Lives in the frame of `serve`, which ends when the connection does.
#pragma once

#include "http/listener.hpp"
#include "http/request_parser.hpp"
#include "http/server_connection.hpp"
#include "http/server_stream.hpp"

#include <memory>
#include <optional>
#include <string>

namespace rollcall::http {

// Serves `socket` to its end.
Task<> serve(std::shared_ptr<Listener> listener, Socket socket);

class Session {
public:
    Session(Listener& listener, Socket socket);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    Task<> run();

    // For the listener. `cut` ends what waits past its deadline.
    void cut(SteadyTime now) { connection_.cut(now); }
    void close() { connection_.close(); }
    // Unless a request has come that was not read yet: that one is still answered. Whether it did.
    bool close_if_silent();
    [[nodiscard]] SteadyTime idle_since() const { return idle_since_; }

private:
    enum class Received : std::uint8_t { request, refused, closed };
    enum class Answered : std::uint8_t { kept, last, broken };

    Task<Received> receive();
    // Fills in what the server knows of the request, and lets it take as long as it likes.
    void introduce();
    // Of the stream where there is one, else of the request; nothing when a stream was answered.
    Task<std::optional<Response>> handle(ServerStream* stream);
    Task<Answered> answer();
    Task<Answered> answer_stream(const Router::Route& route);
    // Metrics and log.
    void finished(std::string_view method, unsigned status, SteadyTime began,
                  std::size_t body_bytes);
    Task<bool> write(const Response& response, bool head_only, bool keep);
    Task<> refuse();
    // Whether the rest of a large body is not worth reading.
    bool refuse_early();
    // The answer to what no route takes, or the limit of such.
    [[nodiscard]] Response stray(Response answer);
    Task<> linger();

    void prepare_wait(RequestParser::Phase phase);

    Listener& listener_;
    ServerConnection connection_;
    std::string remote_address_;
    Listener::Place place_;
    RequestParser parser_;
    std::string head_;
    SteadyTime idle_since_{};
    RequestParser::Phase timed_ = RequestParser::Phase::complete;  // whose deadline holds
    const Router::Route* route_ = nullptr;                         // of the request being answered
    RequestParser::Refusal refusal_;
    std::optional<Response> refused_;  // what it is answered, where the status does not say it all
    bool looked_at_body_ = false;      // by refuse_early()
    bool fresh_ = true;                // no request came yet
    bool idle_ = false;
};

}  // namespace rollcall::http
