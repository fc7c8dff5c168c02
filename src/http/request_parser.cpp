#include "http/request_parser.hpp"

#include "base/ascii.hpp"
#include "http/hop_by_hop.hpp"
#include "http/syntax.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace rollcall::http {
namespace {

constexpr std::size_t fields_max = 128;
constexpr std::size_t method_bytes_max = 32;
constexpr std::size_t request_id_bytes_max = 128;
constexpr std::size_t chunk_line_bytes_max = 256;
// A body of this size or less is given its memory at once; a bigger one as it comes, so that a
// promised length alone costs nothing.
constexpr std::size_t reserved_body_bytes_max = 64 * 1024;
constexpr std::size_t kept_body_bytes_max = 4 * 1024;

bool is_host(std::string_view host) {
    return !host.empty() && detail::all_in(host, detail::host_characters);
}

}  // namespace

void RequestParser::restart() {
    request_.method.clear();
    request_.target.clear();
    request_.path.clear();
    request_.query.clear();
    request_.headers.clear();
    request_.request_id.clear();
    request_.path_parameters.clear();
    if (request_.body.capacity() > kept_body_bytes_max) {
        std::string().swap(request_.body);
    } else {
        request_.body.clear();
    }
    refusal_ = {};
    state_ = State::request_line;
    scanned_ = head_bytes_ = remaining_ = body_bytes_ = hosts_ = lengths_ = codings_ = 0;
    piece_ = {};
    authority_.clear();
    started_ = http_1_0_ = chunked_ = expects_continue_ = false;
    keep_alive_ = true;
}

RequestParser::Phase RequestParser::phase() const {
    switch (state_) {
        case State::request_line:
            return started_ ? Phase::head : Phase::start;
        case State::fields:
            return Phase::head;
        case State::complete:
            return Phase::complete;
        case State::refused:
            return Phase::refused;
        default:
            return Phase::body;
    }
}

bool RequestParser::take_expect_continue() {
    return std::exchange(expects_continue_, false);
}

void RequestParser::refuse(unsigned status, std::string_view reason) {
    refusal_ = {.status = status, .reason = reason};
    state_ = State::refused;
    keep_alive_ = false;
}

std::size_t RequestParser::parse(std::string_view input) {
    std::size_t taken = 0;
    piece_ = {};
    while (taken < input.size() && state_ != State::complete && state_ != State::refused) {
        const bool in_head = state_ == State::fields;
        const std::string_view rest = input.substr(taken);
        started_ = true;
        std::size_t step = 0;
        switch (state_) {
            case State::content:
            case State::chunk_data:
                step = take_data(rest);
                break;
            case State::chunk_end:
                step = take_chunk_end(rest);
                break;
            default:
                step = take_line(rest);
                break;
        }
        if (step == 0) break;
        taken += step;
        const bool head_ended = in_head && state_ != State::fields;
        if (limits_.in_pieces && (head_ended || !piece_.empty())) break;
    }
    return taken;
}

std::size_t RequestParser::line_bytes_left() const {
    const std::size_t left = limits_.header_bytes_max - head_bytes_;
    return state_ == State::chunk_size ? chunk_line_bytes_max : left;
}

// Takes one whole line, or nothing.
std::size_t RequestParser::take_line(std::string_view input) {
    // Another protocol's first byte (TLS, HTTP/2 without its preface): no line need be awaited.
    if (state_ == State::request_line && scanned_ == 0 && input.front() != '\r' &&
        !is_token(input.substr(0, 1))) {
        refuse(400, "bad_method");
        return 0;
    }
    const std::size_t end = input.find('\n', std::min(scanned_, input.size()));
    const std::size_t bytes = end == std::string_view::npos ? input.size() : end + 1;
    if (bytes > line_bytes_left()) {
        if (state_ == State::chunk_size) {
            refuse(400, "bad_chunk_size");
        } else {
            refuse(431, "head_too_large");
        }
        return 0;
    }
    if (end == std::string_view::npos) {
        scanned_ = input.size();
        return 0;
    }
    scanned_ = 0;
    if (end == 0 || input[end - 1] != '\r') {
        refuse(400, "bare_line_feed");
        return bytes;
    }
    if (state_ != State::chunk_size) head_bytes_ += bytes;
    on_line(input.substr(0, end - 1));
    return bytes;
}

void RequestParser::on_line(std::string_view line) {
    switch (state_) {
        case State::request_line:
            // One empty line before a request is ignored, as RFC 9112 section 2.2 asks.
            if (line.empty() && head_bytes_ == 2) return;
            on_request_line(line);
            return;
        case State::fields:
            if (line.empty()) {
                on_head_end();
            } else {
                on_field(line);
            }
            return;
        case State::chunk_size:
            on_chunk_size(line);
            return;
        default:
            break;
    }
    // Trailers: checked like fields, then dropped. Nobody here may act on them.
    if (line.empty()) {
        state_ = State::complete;
    } else {
        on_field(line);
    }
}

void RequestParser::on_request_line(std::string_view line) {
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return refuse(400, "bad_request_line");
    const std::string_view method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);
    if (!is_token(method) || method.size() > method_bytes_max) return refuse(400, "bad_method");
    if (version != "HTTP/1.1" && version != "HTTP/1.0") {
        const bool other = version.size() == 8 && version.starts_with("HTTP/") &&
                           version[5] >= '0' && version[5] <= '9' && version[6] == '.' &&
                           version[7] >= '0' && version[7] <= '9';
        return other ? refuse(505, "version") : refuse(400, "bad_version");
    }
    http_1_0_ = version.back() == '0';
    if (http_1_0_) keep_alive_ = false;
    request_.method = method;
    if (!on_target(target)) return refuse(400, "bad_target");
    state_ = State::fields;
}

// Origin form; `*` of OPTIONS; absolute form, which becomes origin form once its authority was
// found to be the Host.
bool RequestParser::on_target(std::string_view target) {
    if (target == "*") {
        if (request_.method != "OPTIONS") return false;
        request_.target = request_.path = target;
        return true;
    }
    std::string rewritten;
    if (!target.starts_with('/')) {
        const std::size_t scheme = target.find("://");
        if (scheme == std::string_view::npos) return false;
        const std::string_view name = target.substr(0, scheme);
        if (!same_name(name, "http") && !same_name(name, "https")) return false;
        target.remove_prefix(scheme + 3);
        const std::size_t end = std::min(target.find_first_of("/?"), target.size());
        authority_ = target.substr(0, end);
        if (!is_host(authority_)) return false;
        target.remove_prefix(end);
        if (!target.starts_with('/')) {
            rewritten = '/';
            rewritten += target;
            target = rewritten;
        }
    }
    const std::size_t question = std::min(target.find('?'), target.size());
    request_.target = target;
    request_.path = target.substr(0, question);
    request_.query = target.substr(std::min(question + 1, target.size()));
    return is_path(request_.path) && is_query(request_.query);
}

void RequestParser::on_field(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (line.front() == ' ' || line.front() == '\t') return refuse(400, "folded_field");
    // The token rule also refuses white space before the colon.
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
        return refuse(400, "bad_field_name");
    }
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (!is_field_value(value)) return refuse(400, "bad_field_value");
    if (state_ == State::trailers) return;
    if (request_.headers.all().size() >= fields_max) return refuse(431, "too_many_fields");
    request_.headers.add(name, value);
    on_known_field(name, value);
}

void RequestParser::on_known_field(std::string_view name, std::string_view value) {
    switch (name.size()) {
        case 4:
            if (!same_name(name, "host")) return;
            ++hosts_;
            if (!is_host(value)) refuse(400, "bad_host");
            return;
        case 6:
            if (!same_name(name, "expect") || http_1_0_) return;
            if (!same_name(value, "100-continue")) return refuse(417, "unknown_expectation");
            expects_continue_ = true;
            return;
        case 10:
            if (same_name(name, "connection") && has_token(value, "close")) keep_alive_ = false;
            return;
        case 12:
            if (same_name(name, "x-request-id") && value.size() <= request_id_bytes_max &&
                detail::all_in(value, detail::id_characters)) {
                request_.request_id = value;
            }
            return;
        case 14:
            if (same_name(name, "content-length")) on_content_length(value);
            return;
        case 17:
            if (!same_name(name, "transfer-encoding")) return;
            ++codings_;
            chunked_ = same_name(value, "chunked");
            return;
        default:
            return;
    }
}

void RequestParser::on_content_length(std::string_view value) {
    ++lengths_;
    if (value.empty() || value.find_first_not_of("0123456789") != std::string_view::npos) {
        return refuse(400, "bad_content_length");
    }
    const auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), remaining_);
    // Digits alone can only fail by being too many.
    if (error != std::errc{}) remaining_ = std::numeric_limits<std::size_t>::max();
}

void RequestParser::on_head_end() {
    if (hosts_ > 1 || (hosts_ == 0 && !http_1_0_)) return refuse(400, "bad_host");
    if (!authority_.empty() && hosts_ == 1 &&
        !same_name(authority_, *request_.headers.get("host"))) {
        return refuse(400, "bad_host");
    }
    if (lengths_ > 1) return refuse(400, "two_lengths");
    if (codings_ > 0) {
        if (lengths_ > 0) return refuse(400, "length_and_coding");
        if (codings_ > 1 || http_1_0_) return refuse(400, "bad_transfer_coding");
        if (!chunked_) return refuse(501, "unknown_transfer_coding");
        state_ = State::chunk_size;
        return;
    }
    if (remaining_ > limits_.body_bytes_max) return refuse(413, "body_too_large");
    if (remaining_ == 0) {
        expects_continue_ = false;
        state_ = State::complete;
        return;
    }
    if (!limits_.in_pieces) {
        request_.body.reserve(std::min(remaining_, reserved_body_bytes_max));
    }
    state_ = State::content;
}

// chunk-size [ chunk-ext ]; extensions mean nothing here.
void RequestParser::on_chunk_size(std::string_view line) {
    const std::size_t digits =
        std::min(line.find_first_not_of("0123456789ABCDEFabcdef"), line.size());
    const std::string_view extension = trimmed(line.substr(digits));
    if (digits == 0 || digits > 16 || !is_field_value(extension) ||
        (!extension.empty() && extension.front() != ';')) {
        return refuse(400, "bad_chunk_size");
    }
    const std::string_view number = line.substr(0, digits);
    std::from_chars(number.data(), number.data() + number.size(), remaining_, 16);
    if (remaining_ > limits_.body_bytes_max - body_bytes_) {
        return refuse(413, "body_too_large");
    }
    state_ = remaining_ == 0 ? State::trailers : State::chunk_data;
}

std::size_t RequestParser::take_data(std::string_view input) {
    const std::string_view bytes = input.substr(0, remaining_);
    if (limits_.in_pieces) {
        piece_ = bytes;
    } else {
        request_.body += bytes;
    }
    body_bytes_ += bytes.size();
    remaining_ -= bytes.size();
    expects_continue_ = false;
    if (remaining_ == 0) state_ = chunked_ ? State::chunk_end : State::complete;
    return bytes.size();
}

std::size_t RequestParser::take_chunk_end(std::string_view input) {
    if (input.front() != '\r' || (input.size() > 1 && input[1] != '\n')) {
        refuse(400, "bad_chunk_end");
        return 0;
    }
    if (input.size() < 2) return 0;
    state_ = State::chunk_size;
    return 2;
}

}  // namespace rollcall::http
