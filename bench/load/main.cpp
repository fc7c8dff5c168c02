// bench_load send | get | visible | events: the load generator of `./dev bench`. Prints one JSON
// object on standard output (`events`: one event a line); 1 and a line on standard error when it
// fails.
#include "client.hpp"
#include "events.hpp"
#include "requests.hpp"
#include "visible.hpp"

#include <fmt/core.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace rollcall::bench {

namespace {

struct Options {
    std::string events;
    std::string heads;
    std::uint64_t first = 1;
    std::size_t count = 10000;
    Signing signing{.scheme = "svix", .secret = ""};
    std::string path = "/webhooks/clerk";
    Load load;
    double duration = 5;
    Watch watch;
    long pause_ms = 20;
};

// `sorted` ascending; 0 when there is none.
template <typename T>
double percentile(const std::vector<T>& sorted, double share) {
    if (sorted.empty()) {
        return 0;
    }
    const double place = share * static_cast<double>(sorted.size());
    const auto index = static_cast<std::size_t>(place);
    return static_cast<double>(sorted[std::min(index, sorted.size() - 1)]);
}

void print(const Outcome& outcome) {
    std::string statuses;
    for (const auto& [status, count] : outcome.statuses) {
        statuses += fmt::format("{}\"{}\":{}", statuses.empty() ? "" : ",", status, count);
    }
    const auto ms = [&](double share) { return percentile(outcome.latencies, share) / 1000; };
    const double sent = static_cast<double>(std::max<std::size_t>(outcome.sent, 1));
    fmt::print(
        "{{\"sent\":{},\"accepted\":{},\"statuses\":{{{}}},\"connections_lost\":{},"
        "\"started_at\":{:.6f},\"elapsed_seconds\":{:.6f},\"accepted_per_second\":{:.1f},"
        "\"p50_ms\":{:.3f},\"p99_ms\":{:.3f},\"p999_ms\":{:.3f},\"max_ms\":{:.3f},"
        "\"cpu_us_per_request\":{:.2f}}}\n",
        outcome.sent, outcome.accepted, statuses, outcome.connections_lost, outcome.started_at,
        outcome.elapsed_seconds,
        static_cast<double>(outcome.accepted) / std::max(outcome.elapsed_seconds, 1e-9), ms(0.5),
        ms(0.99), ms(0.999), ms(1), outcome.cpu_seconds * 1e6 / sent);
}

void print(Seen seen) {
    const auto summary = [](std::vector<double>& values) {
        std::sort(values.begin(), values.end());
        return fmt::format("{{\"p50_ms\":{:.3f},\"p99_ms\":{:.3f},\"max_ms\":{:.3f}}}",
                           percentile(values, 0.5), percentile(values, 0.99),
                           percentile(values, 1));
    };
    fmt::print("{{\"events\":{},\"accepted\":{},\"visible\":{}}}\n", seen.visible_ms.size(),
               summary(seen.accepted_ms), summary(seen.visible_ms));
}

std::string contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void run(const CLI::App& app, Options& options) {
    options.load.duration = std::chrono::duration<double>(options.duration);
    if (app.got_subcommand("get")) {
        options.load.spin = true;
        print(run_load(options.load, Requests(contents(options.heads), options.count)));
        return;
    }
    const EventTemplate events(options.events);
    if (app.got_subcommand("events")) {
        for (std::uint64_t user = options.first; user < options.first + options.count; ++user) {
            fmt::print("{}\n", events.body(user));
        }
        return;
    }
    const Requests requests(events, options.signing, options.path, options.first, options.count);
    if (app.got_subcommand("visible")) {
        options.watch.port = options.load.ports.front();
        options.watch.pause = std::chrono::milliseconds(options.pause_ms);
        print(watch_rows(options.watch, requests, options.first));
        return;
    }
    print(run_load(options.load, requests));
}

void add_port(CLI::App& command, Options& options) {
    command.add_option("--port", options.load.ports, "of 127.0.0.1; several: taken in turn")
        ->delimiter(',')
        ->required();
}

void add_load_options(CLI::App& command, Options& options) {
    command.add_option("--connections", options.load.connections)->check(CLI::Range(1, 10000));
    command.add_option("--duration", options.duration, "seconds at most");
    command.add_option("--rate", options.load.rate, "requests a second; 0: as the answers come");
}

void add_request_options(CLI::App& command, Options& options) {
    add_port(command, options);
    command.add_option("--path", options.path);
    command.add_option("--scheme", options.signing.scheme)
        ->check(CLI::IsMember({"svix", "stripe", "forged"}));
    command.add_option("--secret", options.signing.secret, "not for forged");
}

int bench_main(int argc, char** argv) {
    CLI::App app{"Load for rollcall and its peers"};
    app.require_subcommand(1);
    Options options;
    CLI::App& send = *app.add_subcommand("send", "as fast as the answers come, or at --rate");
    CLI::App& get = *app.add_subcommand("get", "the requests of a file, again and again");
    add_port(get, options);
    add_load_options(get, options);
    get.add_option("--heads", options.heads, "file of requests without a body")->required();
    get.add_option("--count", options.count, "requests at most");
    CLI::App& visible = *app.add_subcommand("visible", "one event at a time, until its row shows");
    CLI::App& print_events = *app.add_subcommand("events", "the bodies alone, one a line");
    for (CLI::App* command : {&send, &visible, &print_events}) {
        command->add_option("--events", options.events, "template with USERNUMBER")->required();
        command->add_option("--first", options.first, "number of the first user");
        command->add_option("--count", options.count, "requests made beforehand, one a user");
    }
    add_request_options(send, options);
    add_request_options(visible, options);
    add_load_options(send, options);
    send.add_option("--source", options.load.sources,
                    "addresses of this machine to send from; several: taken in turn")
        ->delimiter(',');
    visible.add_option("--database", options.watch.database)->required();
    visible.add_option("--user-prefix", options.watch.user_prefix)->required();
    visible.add_option("--pause-ms", options.pause_ms);
    CLI11_PARSE(app, argc, argv);
    try {
        run(app, options);
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench_load: {}\n", error.what());
        return 1;
    }
}

}  // namespace
}  // namespace rollcall::bench

int main(int argc, char** argv) {
    return rollcall::bench::bench_main(argc, argv);
}
