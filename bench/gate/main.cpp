// bench_gate: how many session tokens one thread verifies, none of them remembered: all of
// clerk::verify(), from the text of the token to its claims. Prints one JSON object; 1 and a line
// on standard error when it fails, or when a token is refused.
#include "clerk/session_token.hpp"

#include <sys/resource.h>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace rollcall::bench {

namespace {

struct Options {
    std::string keys;
    std::string tokens;
    std::string issuer;
    std::string party;
    std::string algorithm;
    double seconds = 1;
};

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::string contents(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> lines(const std::string& path) {
    std::ifstream file(path);
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) all.push_back(line);
    if (all.empty()) throw std::runtime_error("no token in " + path);
    return all;
}

crypto::JwkSet key_set(const std::string& path) {
    auto keys = crypto::JwkSet::parse(contents(path));
    if (!keys) throw std::runtime_error(std::string(crypto::describe(keys.error())));
    return *std::move(keys);
}

clerk::TokenRules rules_of(const Options& options) {
    const auto algorithm = crypto::parse_algorithm(options.algorithm);
    if (!algorithm) throw std::runtime_error("no algorithm " + options.algorithm);
    clerk::TokenRules rules;
    rules.issuers = {options.issuer};
    rules.authorized_parties = {options.party};
    rules.algorithms = {*algorithm};
    return rules;
}

void run(const Options& options) {
    const auto keys = key_set(options.keys);
    const auto tokens = lines(options.tokens);
    const auto rules = rules_of(options);
    std::size_t verified = 0;
    const double start = cpu_seconds();
    double spent = 0;
    while (spent < options.seconds) {
        const auto now = std::chrono::floor<SystemTime::duration>(std::chrono::system_clock::now());
        for (const std::string& token : tokens) {
            const auto claims = clerk::verify(token, keys, rules, now);
            if (!claims) throw std::runtime_error(std::string(claims.error().detail));
        }
        verified += tokens.size();
        spent = cpu_seconds() - start;
    }
    fmt::print(
        "{{\"tokens\":{},\"verified\":{},\"cpu_seconds\":{:.6f},\"per_cpu_second\":{:.1f}}}\n",
        tokens.size(), verified, spent, static_cast<double>(verified) / spent);
}

int bench_main(int argc, char** argv) {
    CLI::App app{"Verifications of session tokens"};
    Options options;
    app.add_option("--keys", options.keys, "file of a JWK set")->required();
    app.add_option("--tokens", options.tokens, "file of tokens, one a line")->required();
    app.add_option("--issuer", options.issuer)->required();
    app.add_option("--party", options.party)->required();
    app.add_option("--algorithm", options.algorithm)->required();
    app.add_option("--seconds", options.seconds, "of CPU time, at least");
    CLI11_PARSE(app, argc, argv);
    try {
        run(options);
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench_gate: {}\n", error.what());
        return 1;
    }
}

}  // namespace
}  // namespace rollcall::bench

int main(int argc, char** argv) {
    return rollcall::bench::bench_main(argc, argv);
}
