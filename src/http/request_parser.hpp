// Reads requests out of a stream of bytes, strictly after RFC 9112: whatever two readers could take
// for two different requests is refused, not repaired. Knows no sockets; fuzz/fuzz_http.cpp drives
// it. Boost.Beast is not used here because it accepts some of those forms (folded fields, unknown
// transfer codings) and copies every field twice.
#pragma once

#include "http/message.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rollcall::http {

class RequestParser {
public:
    struct Limits {
        std::size_t header_bytes_max;
        std::size_t body_bytes_max;
        bool in_pieces = false;  // the body is handed out as it comes, not collected
    };
    enum class Phase : std::uint8_t {
        start,  // nothing of the request is there yet
        head,
        body,
        complete,
        refused,  // the connection cannot be used any more
    };
    struct Refusal {
        unsigned status = 0;
        std::string_view reason;  // stable name, for the log
    };

    explicit RequestParser(Limits limits) : limits_(limits) {}

    // Forgets the request; some of its memory is kept for the next.
    void restart();

    // `input` holds all bytes received and not taken yet, never fewer than at the last call less
    // what was taken. Returns how many were taken; what is left of an unfinished line is not.
    // In pieces: it stops behind the head, and behind each piece.
    std::size_t parse(std::string_view input);
    // What the last call found of the body: a part of its `input`. Only in pieces.
    [[nodiscard]] std::string_view piece() const { return piece_; }

    [[nodiscard]] Phase phase() const;
    [[nodiscard]] const Refusal& refusal() const { return refusal_; }
    // Whole when complete; else what was read so far. Without addresses.
    [[nodiscard]] Request& request() { return request_; }
    // What the body has at least, read or announced.
    [[nodiscard]] std::size_t body_bytes() const { return body_bytes_ + remaining_; }
    // How its end is known; of a request whose head is there.
    [[nodiscard]] bool chunked() const { return chunked_; }
    [[nodiscard]] bool http_1_0() const { return http_1_0_; }
    // Whether the connection may carry another request.
    [[nodiscard]] bool keep_alive() const { return keep_alive_; }
    // True once, when the client waits for "100 Continue" before it sends the body.
    [[nodiscard]] bool take_expect_continue();
    [[nodiscard]] bool expects_continue() const { return expects_continue_; }

private:
    enum class State : std::uint8_t {
        request_line,
        fields,
        content,
        chunk_size,
        chunk_data,
        chunk_end,
        trailers,
        complete,
        refused,
    };

    std::size_t take_line(std::string_view input);
    std::size_t take_data(std::string_view input);
    std::size_t take_chunk_end(std::string_view input);
    [[nodiscard]] std::size_t line_bytes_left() const;
    void on_line(std::string_view line);
    void on_request_line(std::string_view line);
    bool on_target(std::string_view target);
    void on_field(std::string_view line);
    void on_known_field(std::string_view name, std::string_view value);
    void on_content_length(std::string_view value);
    void on_head_end();
    void on_chunk_size(std::string_view line);
    void refuse(unsigned status, std::string_view reason);

    Limits limits_;
    Request request_;
    Refusal refusal_;
    State state_ = State::request_line;
    std::string_view piece_;
    std::size_t scanned_ = 0;     // of the unfinished line: bytes known to hold no line feed
    std::size_t head_bytes_ = 0;  // of head and trailers
    std::size_t remaining_ = 0;   // of the content or the chunk
    std::size_t body_bytes_ = 0;  // of the body, taken
    std::size_t hosts_ = 0;
    std::size_t lengths_ = 0;
    std::size_t codings_ = 0;
    std::string authority_;  // of an absolute target: has to be the Host too
    bool started_ = false;
    bool http_1_0_ = false;
    bool chunked_ = false;
    bool keep_alive_ = true;
    bool expects_continue_ = false;
};

}  // namespace rollcall::http
