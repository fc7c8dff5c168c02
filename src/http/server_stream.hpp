// One request and its answer on a connection of a server, both piece by piece: for who passes them
// on instead of holding them. At most one read and one write at a time, which may overlap. Nothing
// is read ahead but what fits into the connection's buffer, so a client is as fast as its reader.
// Every wait has the server's limits. Lives while its handler runs.
#pragma once

#include "http/framing.hpp"
#include "http/listener.hpp"
#include "http/request_parser.hpp"
#include "http/server_connection.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace rollcall::http {

class ServerStream {
public:
    ServerStream(Listener& listener, ServerConnection& connection, RequestParser& parser);
    ServerStream(const ServerStream&) = delete;
    ServerStream& operator=(const ServerStream&) = delete;

    // Its head; the body is empty.
    [[nodiscard]] Request& request() { return parser_.request(); }
    [[nodiscard]] Framing body() const { return body_; }
    [[nodiscard]] bool http_1_0() const { return parser_.http_1_0(); }

    enum class Fault : std::uint8_t {
        gone,       // the client has
        timed_out,  // no more of the body within the server's limit
        refused,    // the body is not as RFC 9112 has it, or too large
        stopped,    // by stop_reading()
    };
    // The next piece of the body, there until the next call; "" at its end, and from then on. The
    // first call has a client that waits for "100 Continue" send it.
    Task<std::expected<std::string_view, Fault>> read();
    // What answers a request whose body failed so: 408, or what the parser says.
    [[nodiscard]] Response refusal(Fault fault) const;
    // Once the body is read: waits until the client has gone (true), or for stop_reading(). What it
    // sends meanwhile is kept for the next request.
    Task<bool> has_gone();
    // Ends what reads now, and all later reads until read_again(). Not while a write waits.
    void stop_reading();
    void read_again() { stopped_ = false; }

    // Writes the head of the answer. `framing` is what is known of its body; how it goes to this
    // client, and whether there is one, is seen to here. These return false when the connection
    // broke: then nothing more is written.
    Task<bool> begin(const Response& head, Framing framing);
    Task<bool> write(std::string_view piece);  // one that is empty is nothing
    // False also when less than the announced length was written.
    Task<bool> end();
    // All three of a whole answer.
    Task<bool> respond(const Response& response);

    // After 101, both ways, whatever the bytes are; `head` has no body. read_raw() is "" when the
    // client sends no more, nothing when the connection broke.
    Task<bool> switch_protocols(const Response& head);
    Task<std::optional<std::string_view>> read_raw();
    Task<bool> write_raw(std::string_view bytes);
    void end_raw();

    // The client must not take what it has for the whole answer.
    void abort();

    // For the session: how it ended.
    [[nodiscard]] bool begun() const { return status_ != 0; }
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] bool keep() const { return keep_; }
    [[nodiscard]] unsigned status() const { return status_; }
    // Reads what is left of a body that nobody wanted; false when the connection is of no more use.
    Task<bool> drop_body();

private:
    [[nodiscard]] bool rest_is_small() const;
    Task<std::size_t> receive();
    Task<bool> send(std::string_view head, std::string_view piece, std::string_view tail);

    Listener& listener_;
    ServerConnection& connection_;
    RequestParser& parser_;
    Framing body_;
    Framing framing_;            // of the answer, as this client gets it
    std::uint64_t written_ = 0;  // of its body
    std::string head_;           // of the answer or of a chunk, while it is written
    unsigned status_ = 0;
    bool keep_ = false;
    bool ended_ = false;
    bool stopped_ = false;
    bool broken_ = false;
};

}  // namespace rollcall::http
