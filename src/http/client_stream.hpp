// One request and its answer on a connection to an upstream, both piece by piece. At most one write
// and one read at a time, which may overlap. Nothing is read ahead but what fits into the
// connection's buffer. Has no limits of time: who uses it calls close(). Inside http/ only.
#pragma once

#include "http/client_pool.hpp"
#include "http/response_reader.hpp"

#include <memory>
#include <optional>
#include <string_view>

namespace rollcall::http {

class ClientStream {
public:
    // `head_only`: the request is a HEAD.
    ClientStream(std::unique_ptr<ClientPool::Lease> lease, bool head_only,
                 std::size_t header_bytes_max);
    ClientStream(const ClientStream&) = delete;
    ClientStream& operator=(const ClientStream&) = delete;

    // The bytes as they go over the wire. False when the connection broke; an answer may have come
    // all the same.
    Task<bool> send(std::string_view head, std::string_view piece = {}, std::string_view tail = {});
    // False when there is none.
    Task<bool> read_head();
    [[nodiscard]] ResponseReader& answer() { return reader_; }
    // The next piece of the body, there until the next call; "" at its end, nothing when it has
    // none.
    Task<std::optional<std::string_view>> read();

    // After 101: any bytes; "" at the end, nothing when the connection broke.
    Task<std::optional<std::string_view>> read_raw();
    void end_sending() { lease_->connection().end_sending(); }

    // Fails what waits, now and later.
    void close();
    // The connection carried exchanges before, and was closed before this one was answered.
    [[nodiscard]] bool was_stale() const { return lease_->kept() && !answered_; }
    // Whether what failed was the answer's form.
    [[nodiscard]] bool is_malformed() const { return malformed_; }
    // The exchange is over, and the request was sent whole. Ends the stream.
    void release();

private:
    Task<bool> advance();

    std::unique_ptr<ClientPool::Lease> lease_;
    ResponseReader reader_;
    bool answered_ = false;  // a byte came
    bool malformed_ = false;
    bool closed_ = false;
};

}  // namespace rollcall::http
