// One accepted connection: the bytes that came and were not read yet, writes, and how long either
// may be waited for. Knows nothing of HTTP. Lives as long as its session. Inside http/ only.
#pragma once

#include "base/clock.hpp"
#include "http/socket.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

namespace rollcall::http {

class ServerConnection {
public:
    explicit ServerConnection(Socket socket);
    ServerConnection(const ServerConnection&) = delete;
    ServerConnection& operator=(const ServerConnection&) = delete;

    [[nodiscard]] Socket& socket() { return socket_; }
    // Fails what waits.
    void close();
    // The same, and what was not sent is thrown away: the peer cannot take it for a proper end.
    void reset();

    [[nodiscard]] std::string_view unread() const {
        return {buffer_.get() + begin_, end_ - begin_};
    }
    // The first of the unread bytes are read now. They stay where they are until room().
    void take(std::size_t count) { begin_ += count; }
    void drop_unread() { begin_ = end_ = 0; }
    // Where a read may put more: at least a KiB. Who reads bounds how much is left unread.
    [[nodiscard]] asio::mutable_buffer room();
    // `count` bytes were put there.
    void add(std::size_t count) { end_ += count; }
    // Reads will be of about so many bytes.
    void widen(std::size_t capacity);

    // A read that waits past this is ended, and timed_out() is true.
    void read_by(SteadyTime deadline) { read_by_ = deadline; }
    // A connection that is still here then is closed.
    void close_by(SteadyTime deadline) { close_by_ = deadline; }
    [[nodiscard]] bool timed_out() const { return timed_out_; }
    // Ends what waits past its deadline.
    void cut(SteadyTime now);

    using Parts = std::array<asio::const_buffer, 3>;
    // What the kernel takes of it at once, which nearly always is all; nothing when it broke.
    [[nodiscard]] std::optional<std::size_t> write_now(const Parts& parts);
    // What is left of it after that; false when the connection broke.
    Task<bool> write_rest(Parts parts, std::size_t written, SteadyTime deadline);

private:
    void move_to(std::size_t capacity);

    Socket socket_;
    std::unique_ptr<char[]> buffer_;
    std::size_t capacity_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    SteadyTime read_by_ = SteadyTime::max();
    SteadyTime close_by_ = SteadyTime::max();
    bool timed_out_ = false;
};

}  // namespace rollcall::http
