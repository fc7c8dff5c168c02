#include "http/forwarding.hpp"

#include "base/timeout.hpp"
#include "base/together.hpp"
#include "http/hop_by_hop.hpp"
#include "http/response_writer.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace rollcall::http {
namespace {

Response short_answer(unsigned status) {
    return Response::json(status, R"({"error":")" + std::string(reason_phrase(status)) + R"("})");
}

bool is_idempotent(std::string_view method) {
    static constexpr std::array<std::string_view, 6> methods{"GET",     "HEAD",   "PUT",
                                                             "OPTIONS", "DELETE", "TRACE"};
    return std::ranges::find(methods, method) != methods.end();
}

// Framing, and what the relay says itself.
bool is_set_here(std::string_view name) {
    return same_folded_name(name, "Host") || same_folded_name(name, "Content-Length") ||
           same_folded_name(name, "Expect");
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
}

Response passed_on(const Response& answer) {
    return {.status = answer.status, .headers = end_to_end(answer.headers), .body = {}};
}

}  // namespace

Forwarding::Forwarding(Relay::State& relay, ServerStream& client, Relay::Order order)
    : relay_(relay),
      client_(client),
      websocket_(upgrades_to_websocket(client.request().headers) && !client.http_1_0() &&
                 client.request().method == "GET" && client.body().kind == Framing::Kind::none),
      head_(request_head(order)),
      sending_(relay.executor, [this] { upstream_->close(); }),
      receiving_(relay.executor, [this] { switches_ ? end_tunnel() : upstream_->close(); }) {}

std::string Forwarding::request_head(const Relay::Order& order) const {
    const Request& request = client_.request();
    std::string out = request.method + " " + order.target + " HTTP/1.1\r\n";
    const auto host = request.headers.get("Host");
    append_field(
        out, "Host",
        relay_.config.pass_host && host ? *host : std::string_view(relay_.upstream.authority));
    const Fields fields = end_to_end(order.fields);
    const auto is_own = [&](std::string_view name) {
        return std::ranges::any_of(order.own.all(), [&](const Fields::Field& own) {
            return same_folded_name(own.first, name);
        });
    };
    for (const auto& [name, value] : fields.all()) {
        if (!is_set_here(name) && !is_own(name)) append_field(out, name, value);
    }
    for (const auto& [name, value] : order.own.all()) append_field(out, name, value);
    const Framing body = client_.body();
    if (body.kind == Framing::Kind::length) {
        append_field(out, "Content-Length", std::to_string(body.length));
    } else if (body.kind == Framing::Kind::chunks) {
        append_field(out, "Transfer-Encoding", "chunked");
    } else if (request.headers.count("Content-Length") > 0) {
        append_field(out, "Content-Length", "0");
    }
    if (websocket_) out += "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    return out + "\r\n";
}

// The seam where an upstream that is away becomes an answer.
Task<bool> Forwarding::connect() {
    std::string_view phase;
    std::string why;
    upstream_.reset();
    try {
        auto lease = co_await with_timeout(relay_.pool->lease(relay_.upstream, phase, again_),
                                           relay_.config.connect_timeout);
        if (lease) {
            upstream_.emplace(*std::move(lease), client_.request().method == "HEAD",
                              relay_.config.header_bytes_max);
            co_return true;
        }
        failure_ = Failure::timeout;
        why = "waiting for " + std::string(phase);
    } catch (const Unavailable& away) {
        failure_ = Failure::connect;
        why = away.what();
    }
    relay_.failed(*failure_, why);
    co_return false;
}

Task<std::optional<Response>> Forwarding::run() {
    do {
        if (!co_await connect()) co_return outcome();
    } while (co_await exchange());
    if (switches_) {
        co_await tunnel();
        co_return std::nullopt;
    }
    co_return outcome();
}

Task<bool> Forwarding::exchange() {
    again_ = sent_ = false;
    client_.read_again();
    std::vector<Task<>> both_ways;
    both_ways.push_back(send_request());
    both_ways.push_back(receive_answer());
    co_await together(std::move(both_ways));
    sending_.off();
    receiving_.off();
    // A piece of the body was on its way while it was decided; it is not to be had twice.
    if (again_ && body_began_) {
        again_ = false;
        fail_upstream();
    }
    co_return again_;
}

// Then watches over the client until the answer is through.
Task<> Forwarding::send_request() {
    sending_.within(relay_.config.timeout);
    const bool head_sent = co_await upstream_->send(head_);
    sending_.off();
    sent_ = head_sent && co_await send_body();
    if (fault_) {
        upstream_->close();
        co_return;
    }
    // An upstream that takes no more may have answered.
    if (!answered_) receiving_.within(relay_.config.timeout);
    if (sent_ && co_await client_.has_gone()) {
        fault_ = ServerStream::Fault::gone;
        upstream_->close();
    }
}

Task<bool> Forwarding::send_body() {
    const Framing::Kind kind = client_.body().kind;
    if (kind == Framing::Kind::none) co_return true;
    for (;;) {
        const auto piece = co_await client_.read();
        if (!piece) {
            if (piece.error() != ServerStream::Fault::stopped) fault_ = piece.error();
            co_return false;
        }
        body_began_ = true;
        sending_.within(relay_.config.timeout);
        const bool chunks = kind == Framing::Kind::chunks;
        bool good = true;
        if (!piece->empty()) {
            const std::string size = chunks ? chunk_head(piece->size()) : "";
            good = co_await upstream_->send(size, *piece, chunks ? chunk_end : "");
        } else if (chunks) {
            good = co_await upstream_->send(last_chunk);
        }
        sending_.off();
        if (!good || piece->empty()) co_return good;
    }
}

void Forwarding::fail_upstream() {
    failure_ = sending_.has_bitten() || receiving_.has_bitten() ? Failure::timeout
               : upstream_->is_malformed()                      ? Failure::malformed
                                                                : Failure::closed;
    relay_.failed(*failure_, answered_ ? "in the middle of its answer" : "before its answer");
}

Task<> Forwarding::receive_answer() {
    answered_ = co_await upstream_->read_head();
    receiving_.off();
    if (!answered_) {
        again_ = !fault_ && upstream_->was_stale() && !body_began_ && !sending_.has_bitten() &&
                 !receiving_.has_bitten() && is_idempotent(client_.request().method);
        if (!fault_ && !again_) fail_upstream();
    } else if (upstream_->answer().head().status == 101) {
        switches_ = websocket_ && upgrades_to_websocket(upstream_->answer().head().headers);
        if (!switches_) {
            failure_ = Failure::malformed;
            relay_.failed(*failure_, "switches to a protocol that was not asked for");
        }
    } else {
        co_await pass_answer();
    }
    // What is left of the request nobody reads.
    if (!switches_ && !sent_) upstream_->close();
    client_.stop_reading();
}

Task<> Forwarding::pass_answer() {
    const Response head = passed_on(upstream_->answer().head());
    bool good = co_await client_.begin(head, upstream_->answer().framing());
    while (good) {
        receiving_.within(relay_.config.timeout);
        const auto piece = co_await upstream_->read();
        receiving_.off();
        if (!piece) {
            if (!fault_) fail_upstream();
            co_return client_.abort();
        }
        if (piece->empty()) break;
        good = co_await client_.write(*piece);
    }
    good = good && co_await client_.end();
    if (good && sent_) {
        upstream_->release();
    } else if (!good) {
        fault_ = ServerStream::Fault::gone;
        upstream_->close();
    }
}

std::optional<Response> Forwarding::outcome() {
    if (fault_ == ServerStream::Fault::gone) relay_.metrics.clients_gone.Increment();
    if (client_.begun() || fault_ == ServerStream::Fault::gone) return std::nullopt;
    if (fault_) return client_.refusal(*fault_);
    return short_answer(failure_ == Failure::timeout ? 504 : 502);
}

Task<> Forwarding::tunnel() {
    struct Counted {
        explicit Counted(prometheus::Gauge& open) : gauge(open) { gauge.Increment(); }
        ~Counted() { gauge.Decrement(); }
        Counted(const Counted&) = delete;
        Counted& operator=(const Counted&) = delete;
        prometheus::Gauge& gauge;
    } const counted(relay_.metrics.tunnels);
    Response head = passed_on(upstream_->answer().head());
    head.headers.set("Upgrade", "websocket");
    if (!co_await client_.switch_protocols(head)) co_return;
    receiving_.within(relay_.config.tunnel_idle_timeout);
    std::vector<Task<>> both_ways;
    both_ways.push_back(tunnel_up());
    both_ways.push_back(tunnel_down());
    co_await together(std::move(both_ways));
}

void Forwarding::end_tunnel() {
    upstream_->close();
    client_.abort();
}

Task<> Forwarding::tunnel_up() {
    for (;;) {
        const auto bytes = co_await client_.read_raw();
        receiving_.within(relay_.config.tunnel_idle_timeout);
        if (!bytes) co_return end_tunnel();
        if (bytes->empty()) co_return upstream_->end_sending();
        if (!co_await upstream_->send(*bytes)) co_return end_tunnel();
    }
}

Task<> Forwarding::tunnel_down() {
    for (;;) {
        const auto bytes = co_await upstream_->read_raw();
        receiving_.within(relay_.config.tunnel_idle_timeout);
        if (!bytes) co_return end_tunnel();
        if (bytes->empty()) co_return client_.end_raw();
        if (!co_await client_.write_raw(*bytes)) co_return end_tunnel();
    }
}

}  // namespace rollcall::http
