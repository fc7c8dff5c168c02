// Sends requests over keep-alive connections and measures what comes back. One thread, epoll; about
// ten microseconds of CPU a request, so that on a machine of two cores it is not what is measured.
#pragma once

#include "requests.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace rollcall::bench {

struct Load {
    std::vector<std::uint16_t> ports;  // of 127.0.0.1; connections take them in turn
    // Addresses of this machine that connections come from, in turn: 127.0.0.2, …; none: any.
    std::vector<std::string> sources;
    int connections = 64;
    std::chrono::duration<double> duration{5};
    // Requests a second, due at even intervals whether or not earlier ones were answered, and
    // latency counted from when they were due; 0 = each connection sends when its answer is in.
    bool spin = false;  // never sleep: waking the generator costs the server
    double rate = 0;
};

struct Outcome {
    std::size_t sent = 0;
    std::size_t accepted = 0;              // 2xx
    std::map<int, std::size_t> statuses;   // every status seen
    std::size_t connections_lost = 0;      // closed by the other side; opened again
    std::vector<std::uint32_t> latencies;  // microseconds, of the accepted, ascending
    double started_at = 0;                 // Unix time in seconds
    double elapsed_seconds = 0;            // until the last answer
    double cpu_seconds = 0;                // the generator's own
};

// Ends when `duration` has passed or the requests are used up, and every answer is in (or none has
// come for ten seconds: then those count as not accepted). Throws std::runtime_error when no
// connection can be made or an answer cannot be read.
[[nodiscard]] Outcome run_load(const Load& load, const Requests& requests);

// A connected TCP socket to 127.0.0.1:port, Nagle off; blocking. `source` "": from any address.
[[nodiscard]] int connect_to(std::uint16_t port, const std::string& source = "");

// The length of the first whole HTTP answer in `bytes`, 0 while it is incomplete; sets `status`.
[[nodiscard]] std::size_t answer_length(std::string_view bytes, int& status);

}  // namespace rollcall::bench
