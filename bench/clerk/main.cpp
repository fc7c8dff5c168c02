// bench_clerk: a Clerk for `./dev bench` whose answers cost next to nothing: GET /v1/users and what
// else a pass asks for, over users that were made beforehand and never change. `rollcall sim` is
// the one to test against. Prints "ready" once it listens; ends on SIGTERM.
#include "people.hpp"

#include "base/metrics.hpp"
#include "base/task.hpp"
#include "http/server.hpp"

#include <fmt/core.h>
#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <exception>
#include <limits>
#include <stdexcept>

namespace rollcall::bench {

namespace {

std::int64_t number(const http::Request& request, std::string_view name, std::int64_t otherwise) {
    const auto text = request.query_parameter(name);
    if (!text) return otherwise;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size()) {
        throw std::runtime_error(fmt::format("{} is not a number", name));
    }
    return value;
}

Span filtered(const People& people, const http::Request& request) {
    return people.created_between(
        number(request, "created_at_after", -1),
        number(request, "created_at_before", std::numeric_limits<std::int64_t>::max()));
}

std::string oldest_first(const People& people, const http::Request& request, Span span,
                         std::size_t limit) {
    if (const auto after = request.query_parameter("starting_after")) {
        span.first = std::clamp(people.number_of(*after) + 1, span.first, span.last);
    }
    span.last = std::min(span.last, span.first + limit);
    return people.page(span);
}

std::string newest_first(const People& people, Span span, std::size_t offset, std::size_t limit) {
    const std::size_t end = span.last - std::min(offset, span.size());
    std::string out = "[";
    for (std::size_t i = end; i > span.first && end - i < limit; --i) {
        if (out.size() > 1) out += ',';
        out += people.one(i - 1);
    }
    return out += ']';
}

// The users of a list of ids, as second looks ask for them.
std::string by_id(const People& people, const http::Request& request) {
    std::string out = "[";
    std::string_view rest = request.query;
    while (!rest.empty()) {
        const auto end = std::min(rest.find('&'), rest.size());
        std::string_view part = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        constexpr std::string_view key = "user_id=";
        if (!part.starts_with(key)) continue;
        part.remove_prefix(key.size());
        const std::size_t found = people.number_of(part);
        if (found == people.count()) continue;
        if (out.size() > 1) out += ',';
        out += people.one(found);
    }
    return out += ']';
}

std::string list(const People& people, const http::Request& request) {
    const auto limit = static_cast<std::size_t>(number(request, "limit", 10));
    const auto offset = static_cast<std::size_t>(number(request, "offset", 0));
    const auto order = request.query_parameter("order_by").value_or("-created_at");
    if (request.query_parameter("user_id")) return by_id(people, request);
    const Span span = filtered(people, request);
    return order.starts_with('-') ? newest_first(people, span, offset, limit)
                                  : oldest_first(people, request, span, limit);
}

struct Options {
    std::string users;
    std::size_t count = 1'000'000;
    std::string listen = "127.0.0.1:0";
    long round_trip_ms = 0;
};

void run(const Options& options) {
    const People people(options.users, options.count);
    asio::io_context io{1};
    MetricsRegistry metrics;
    http::Router router;
    const auto answer = [&](const std::string& path, auto body) {
        router.add({"GET"}, path, [&, body](http::Request& request) -> Task<http::Response> {
            if (options.round_trip_ms > 0) {
                co_await sleep(std::chrono::milliseconds(options.round_trip_ms));
            }
            co_return http::Response::json(200, body(request));
        });
    };
    answer("/v1/users", [&](const http::Request& request) { return list(people, request); });
    answer("/v1/users/count", [&](const http::Request& request) {
        return fmt::format(R"({{"object":"total_count","total_count":{}}})",
                           filtered(people, request).size());
    });
    answer("/v1/instance", [](const http::Request& /*request*/) {
        return std::string(R"({"object":"instance","id":"ins_2g7np7Hrk0SN6kj5EDMLDaKNL0S",)"
                           R"("environment_type":"development","allowed_origins":null})");
    });
    http::Server server(io.get_executor(), {.listen = options.listen}, router,
                        http::make_server_metrics(metrics));
    if (const auto started = server.start(); !started) {
        throw std::runtime_error(started.error().message);
    }
    asio::signal_set signals(io, SIGTERM, SIGINT);
    signals.async_wait([&](const boost::system::error_code&, int) { io.stop(); });
    fmt::print("port {}\nready\n", server.port());
    std::fflush(stdout);
    io.run();
}

}  // namespace

int clerk_main(int argc, char** argv) {
    CLI::App app{"Users for the passes that are measured"};
    Options options;
    app.add_option("--users", options.users, "template of a user")->required();
    app.add_option("--count", options.count);
    app.add_option("--listen", options.listen);
    app.add_option("--round-trip-ms", options.round_trip_ms, "added to every answer");
    CLI11_PARSE(app, argc, argv);
    try {
        run(options);
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench_clerk: {}\n", error.what());
        return 1;
    }
}

}  // namespace rollcall::bench

int main(int argc, char** argv) {
    return rollcall::bench::clerk_main(argc, argv);
}
