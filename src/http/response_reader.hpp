// Reads an upstream's answer out of a stream of bytes: interim answers (RFC 9110, section 15.2) are
// skipped, the body is handed out in pieces, trailers are dropped. Knows no sockets. What could be
// read in two ways (RFC 9112, section 6.3), or has no end in sight, is a fault.
#pragma once

#include "http/framing.hpp"
#include "http/message.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace rollcall::http {

class ResponseReader {
public:
    enum class Phase : std::uint8_t { head, body, complete, fault };

    // `head_only`: of a request HEAD.
    ResponseReader(bool head_only, std::size_t header_bytes_max);
    ~ResponseReader();
    ResponseReader(const ResponseReader&) = delete;
    ResponseReader& operator=(const ResponseReader&) = delete;

    // `input` holds all bytes received and not taken yet. Returns how many were taken; stops behind
    // the head, and behind each piece.
    std::size_t parse(std::string_view input);
    // The upstream sends no more: the end of a body that has no other, else a fault.
    void end_of_input();

    [[nodiscard]] Phase phase() const { return phase_; }
    // What the last call found of the body: a part of its `input`.
    [[nodiscard]] std::string_view piece() const;
    // Once the phase is past `head`; without a body.
    [[nodiscard]] Response& head();
    // Of a HEAD's answer as a GET's would have it.
    [[nodiscard]] Framing framing() const;
    // Whether the connection may carry another request after this one.
    [[nodiscard]] bool keep_alive() const;

private:
    class Parser;
    void restart();
    std::size_t step(std::string_view input);

    bool head_only_;
    std::size_t header_bytes_max_;
    int interim_ = 0;
    Phase phase_ = Phase::head;
    std::unique_ptr<Parser> parser_;
};

}  // namespace rollcall::http
