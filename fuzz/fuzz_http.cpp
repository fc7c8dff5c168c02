// The server's reader of requests: whatever bytes come, in whatever pieces, it takes the same
// requests, and what it accepts keeps to the rules that the rest of the program relies on.
#include "base/result.hpp"
#include "http/request_parser.hpp"
#include "http/router.hpp"
#include "http/upstream_url.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace rollcall;
using Phase = http::RequestParser::Phase;

constexpr http::RequestParser::Limits limits{.header_bytes_max = 2048, .body_bytes_max = 512};

struct Taken {
    std::string method;
    std::string target;
    std::string body;
    std::vector<http::Fields::Field> fields;
    bool keep_alive = false;
    friend bool operator==(const Taken&, const Taken&) = default;
};

struct Outcome {
    std::vector<Taken> requests;
    std::string refused;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

void check(http::Request& request, const http::Router& router) {
    ensure(!request.method.empty(), "a method");
    ensure(request.path == "*" || request.path.starts_with('/'), "origin form");
    ensure(request.target.starts_with(request.path), "the path begins the target");
    ensure(request.body.size() <= limits.body_bytes_max, "the body's limit");
    ensure(
        request.headers.count("content-length") + request.headers.count("transfer-encoding") <= 1,
        "one framing");
    ensure(request.headers.count("host") <= 1, "one host");
    for (const auto& [name, value] : request.headers.all()) {
        ensure(!name.empty(), "a field has a name");
        ensure((name + value).find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
               "no field splits a line");
    }
    const auto match = router.find(request);
    for (const auto& [name, value] : request.path_parameters) {
        ensure(match.route != nullptr && !value.empty() && value != ".." &&
                   value.find('/') == std::string::npos,
               "a parameter is one segment");
    }
    (void)request.query_parameter("a");
}

// `in_pieces`: as a proxy reads, which must come to the same.
Outcome read(std::string_view bytes, std::size_t step, const http::Router& router,
             bool in_pieces = false) {
    Outcome outcome;
    http::RequestParser::Limits how = limits;
    how.in_pieces = in_pieces;
    http::RequestParser parser(how);
    std::string unread;
    std::string pieces;
    while (!bytes.empty()) {
        unread += bytes.substr(0, step);
        bytes.remove_prefix(std::min(step, bytes.size()));
        for (;;) {
            const std::size_t taken = parser.parse(unread);
            ensure(taken <= unread.size(), "takes what is there");
            const bool more = in_pieces && taken > 0 && parser.phase() != Phase::refused;
            pieces += parser.piece();
            unread.erase(0, taken);
            if (parser.phase() != Phase::complete) {
                if (more) continue;
                break;
            }
            http::Request& request = parser.request();
            if (in_pieces) request.body = std::exchange(pieces, "");
            outcome.requests.push_back(
                {.method = request.method,
                 .target = request.target,
                 .body = request.body,
                 .fields = {request.headers.all().begin(), request.headers.all().end()},
                 .keep_alive = parser.keep_alive()});
            check(request, router);
            parser.restart();
        }
        ensure(unread.size() <= limits.header_bytes_max + step, "what waits is bounded");
        if (parser.phase() == Phase::refused) {
            outcome.refused = parser.refusal().reason;
            ensure(parser.refusal().status >= 400, "a refusal has a status");
            return outcome;
        }
    }
    return outcome;
}

const http::Router& example_router() {
    static const http::Router router = [] {
        const auto nothing = [](http::Request&) -> Task<http::Response> {
            co_return http::Response{};
        };
        http::Router made;
        made.add({"GET"}, "/", nothing);
        made.add({"GET", "POST"}, "/a/{b}", nothing);
        made.add({"GET"}, "/a/{b}/c/{d}", nothing);
        return made;
    }();
    return router;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const Outcome whole = read(bytes, std::max<std::size_t>(size, 1), example_router());
    const std::size_t step = size == 0 ? 1 : 1 + data[size / 2] % 16;
    ensure(read(bytes, 1, example_router()) == whole, "byte by byte is the same");
    ensure(read(bytes, step, example_router()) == whole, "in parts is the same");
    ensure(read(bytes, step, example_router(), true) == whole, "piece by piece is the same");
    if (const auto url = http::parse_upstream_url(bytes)) {
        ensure(!url->host.empty() && url->target.starts_with('/'), "a URL has host and target");
    }
    return 0;
}
