#include "http/response_reader.hpp"

#include "http/syntax.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

namespace rollcall::http {
namespace {

namespace wire = boost::beast::http;
using boost::system::error_code;

constexpr int interim_answers_max = 8;
// More than one body may announce, so that lengths can be counted.
constexpr std::uint64_t body_bytes_max = std::uint64_t{1} << 62;

}  // namespace

// Beast's reader of answers, without its messages and buffers.
class ResponseReader::Parser : public wire::basic_parser<false> {
public:
    Response response{};
    std::string_view piece{};
    bool unknown_coding = false;

private:
    void on_request_impl(wire::verb, boost::beast::string_view, boost::beast::string_view, int,
                         error_code&) override {}
    void on_response_impl(int code, boost::beast::string_view, int, error_code&) override {
        response.status = static_cast<unsigned>(code);
    }
    void on_field_impl(wire::field name, boost::beast::string_view text,
                       boost::beast::string_view value, error_code&) override {
        if (is_header_done()) return;  // a trailer
        const std::string_view coding(value.data(), value.size());
        if (name == wire::field::transfer_encoding && !same_name(coding, "chunked")) {
            unknown_coding = true;
        }
        response.headers.add({text.data(), text.size()}, coding);
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(boost::beast::string_view body, error_code&) override {
        piece = {body.data(), body.size()};
        return body.size();
    }
    void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view body,
                                   error_code&) override {
        piece = {body.data(), body.size()};
        return body.size();
    }
    void on_finish_impl(error_code&) override {}
};

ResponseReader::ResponseReader(bool head_only, std::size_t header_bytes_max)
    : head_only_(head_only), header_bytes_max_(header_bytes_max) {
    restart();
}

ResponseReader::~ResponseReader() = default;

void ResponseReader::restart() {
    parser_ = std::make_unique<Parser>();
    parser_->header_limit(static_cast<std::uint32_t>(header_bytes_max_));
    parser_->body_limit(body_bytes_max);
    parser_->skip(head_only_);
}

std::string_view ResponseReader::piece() const {
    return parser_->piece;
}

Response& ResponseReader::head() {
    return parser_->response;
}

Framing ResponseReader::framing() const {
    if (const auto length = parser_->content_length()) {
        return {.kind = Framing::Kind::length, .length = *length};
    }
    if (parser_->chunked()) return {.kind = Framing::Kind::chunks};
    return {.kind = parser_->need_eof() ? Framing::Kind::close : Framing::Kind::none};
}

bool ResponseReader::keep_alive() const {
    return phase_ == Phase::complete && parser_->keep_alive();
}

// As far as one call of Beast's parser comes.
std::size_t ResponseReader::step(std::string_view input) {
    error_code error;
    const std::size_t taken =
        parser_->put(boost::asio::const_buffer(input.data(), input.size()), error);
    const unsigned status = parser_->response.status;
    const bool bad_status = parser_->is_header_done() && (status < 100 || status > 599);
    if ((error && error != wire::error::need_more) || parser_->unknown_coding || bad_status) {
        phase_ = Phase::fault;
    } else if (parser_->is_done()) {
        phase_ = Phase::complete;
    } else if (parser_->is_header_done()) {
        phase_ = Phase::body;
    }
    return taken;
}

std::size_t ResponseReader::parse(std::string_view input) {
    parser_->piece = {};
    std::size_t taken = 0;
    while (taken < input.size() && (phase_ == Phase::head || phase_ == Phase::body)) {
        const Phase before = phase_;
        const std::size_t count = step(input.substr(taken));
        taken += count;
        const unsigned status = parser_->response.status;
        if (phase_ == Phase::complete && status < 200 && status != 101) {
            phase_ = ++interim_ > interim_answers_max ? Phase::fault : Phase::head;
            if (phase_ == Phase::head) restart();
            continue;
        }
        if (count == 0 || before != phase_ || !parser_->piece.empty()) break;
    }
    return taken;
}

void ResponseReader::end_of_input() {
    const bool by_close = phase_ == Phase::body && parser_->need_eof();
    phase_ = by_close || phase_ == Phase::complete ? Phase::complete : Phase::fault;
}

}  // namespace rollcall::http
