#include "client.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <system_error>

namespace rollcall::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds silence_max{10};
constexpr std::size_t answer_max = 16 * 1024;

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Connection {
    int fd = -1;
    std::uint16_t port = 0;
    std::string source;
    bool busy = false;
    std::string_view unsent;
    Clock::time_point due;
    std::array<char, answer_max> in{};
    std::size_t got = 0;
};

class Run {
public:
    Run(const Load& load, const Requests& requests) : load_(load), requests_(requests) {
        epoll_ = epoll_create1(EPOLL_CLOEXEC);
        connections_.resize(static_cast<std::size_t>(load.connections));
        for (std::size_t i = 0; i < connections_.size(); ++i) {
            connections_[i].port = load.ports[i % load.ports.size()];
            if (!load.sources.empty()) {
                connections_[i].source = load.sources[i % load.sources.size()];
            }
            open(connections_[i]);
        }
    }

    ~Run() {
        for (const Connection& connection : connections_) {
            close(connection.fd);
        }
        close(epoll_);
    }

    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    Outcome run() {
        const double cpu = cpu_seconds();
        outcome_.started_at =
            std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
                .count();
        outcome_.latencies.reserve(requests_.size());
        start_ = last_answer_ = Clock::now();
        end_ = start_ + std::chrono::duration_cast<Clock::duration>(load_.duration);
        for (Connection& connection : connections_) {
            idle_.push_back(&connection);
        }
        give_out(start_);
        while (more_to_come(Clock::now())) {
            wait();
            give_out(Clock::now());
        }
        outcome_.elapsed_seconds = std::chrono::duration<double>(last_answer_ - start_).count();
        outcome_.cpu_seconds = cpu_seconds() - cpu;
        std::sort(outcome_.latencies.begin(), outcome_.latencies.end());
        return std::move(outcome_);
    }

private:
    void open(Connection& connection) {
        connection.fd = connect_to(connection.port, connection.source);
        fcntl(connection.fd, F_SETFL, fcntl(connection.fd, F_GETFL) | O_NONBLOCK);
        connection.got = 0;
        connection.unsent = {};
        epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
        epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
    }

    [[nodiscard]] bool more_to_send(Clock::time_point now) const {
        return next_ < requests_.size() && now < end_;
    }

    [[nodiscard]] bool more_to_come(Clock::time_point now) const {
        if (idle_.size() == connections_.size()) {
            return more_to_send(now);
        }
        return now - last_answer_ < silence_max;
    }

    [[nodiscard]] Clock::time_point due_at(std::size_t index) const {
        const std::chrono::duration<double> offset(static_cast<double>(index) / load_.rate);
        return start_ + std::chrono::duration_cast<Clock::duration>(offset);
    }

    void give_out(Clock::time_point now) {
        while (!idle_.empty() && more_to_send(now)) {
            const Clock::time_point due = load_.rate > 0 ? due_at(next_) : now;
            if (due > now) {
                return;
            }
            Connection& connection = *idle_.front();
            idle_.pop_front();
            connection.busy = true;
            connection.due = due;
            connection.unsent = requests_.at(next_++);
            ++outcome_.sent;
            send_rest(connection);
        }
    }

    void send_rest(Connection& connection) {
        while (!connection.unsent.empty()) {
            const ssize_t sent = send(connection.fd, connection.unsent.data(),
                                      connection.unsent.size(), MSG_NOSIGNAL);
            if (sent < 0) {
                if (errno == EAGAIN) {
                    watch(connection, EPOLLIN | EPOLLOUT);
                    return;
                }
                return;  // lost: the read side finds out and opens a new one
            }
            connection.unsent.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

    void watch(Connection& connection, std::uint32_t events) const {
        epoll_event event{.events = events, .data = {.ptr = &connection}};
        epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
    }

    void wait() {
        std::array<epoll_event, 256> events{};
        const int slow_ms = load_.spin ? 0 : 100;
        const int timeout_ms = load_.rate > 0 ? 1 : slow_ms;
        const int count =
            epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout_ms);
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events.at(static_cast<std::size_t>(i));
            Connection& connection = *static_cast<Connection*>(event.data.ptr);
            if ((event.events & EPOLLOUT) != 0) {
                watch(connection, EPOLLIN);
                send_rest(connection);
            }
            if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
                receive(connection);
            }
        }
    }

    void receive(Connection& connection) {
        const ssize_t read = recv(connection.fd, connection.in.data() + connection.got,
                                  connection.in.size() - connection.got, 0);
        if (read < 0 && errno == EAGAIN) {
            return;
        }
        if (read <= 0) {
            lost(connection);
            return;
        }
        connection.got += static_cast<std::size_t>(read);
        int status = 0;
        const std::size_t length = answer_length({connection.in.data(), connection.got}, status);
        if (length == 0) {
            return;
        }
        if (length != connection.got || !connection.busy) {
            throw std::runtime_error("an answer nobody asked for");
        }
        answered(connection, status);
    }

    void answered(Connection& connection, int status) {
        last_answer_ = Clock::now();
        ++outcome_.statuses[status];
        if (status >= 200 && status < 300) {
            ++outcome_.accepted;
            const auto took = std::chrono::duration_cast<std::chrono::microseconds>(last_answer_ -
                                                                                    connection.due);
            outcome_.latencies.push_back(static_cast<std::uint32_t>(took.count()));
        }
        connection.got = 0;
        connection.busy = false;
        idle_.push_back(&connection);
    }

    void lost(Connection& connection) {
        ++outcome_.connections_lost;
        close(connection.fd);
        if (connection.busy) {
            connection.busy = false;
            idle_.push_back(&connection);
        }
        open(connection);
    }

    const Load& load_;
    const Requests& requests_;
    int epoll_ = -1;
    std::vector<Connection> connections_;
    std::deque<Connection*> idle_;
    std::size_t next_ = 0;
    Clock::time_point start_;
    Clock::time_point end_;
    Clock::time_point last_answer_;
    Outcome outcome_;
};

}  // namespace

Outcome run_load(const Load& load, const Requests& requests) {
    return Run(load, requests).run();
}

int connect_to(std::uint16_t port, const std::string& source) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!source.empty()) {
        sockaddr_in from{};
        from.sin_family = AF_INET;
        if (inet_pton(AF_INET, source.c_str(), &from.sin_addr) != 1 ||
            bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) {
            fail("bind to " + source);
        }
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        fail("connect to port " + std::to_string(port));
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

std::size_t answer_length(std::string_view bytes, int& status) {
    const std::size_t head = bytes.find("\r\n\r\n");
    if (head == std::string_view::npos) {
        if (bytes.size() == answer_max) {
            throw std::runtime_error("an answer with too long a head");
        }
        return 0;
    }
    if (head < 12 || !bytes.starts_with("HTTP/1.")) {
        throw std::runtime_error("an answer that is not HTTP/1");
    }
    std::from_chars(bytes.data() + 9, bytes.data() + 12, status);
    constexpr std::string_view name = "\r\ncontent-length:";
    const auto same = [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
    };
    const auto at = std::search(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(head),
                                name.begin(), name.end(), same);
    if (at == bytes.begin() + static_cast<std::ptrdiff_t>(head)) {
        throw std::runtime_error("an answer without content-length");
    }
    std::size_t start = static_cast<std::size_t>(at - bytes.begin()) + name.size();
    while (bytes[start] == ' ') {
        ++start;
    }
    std::size_t body = 0;
    std::from_chars(bytes.data() + start, bytes.data() + head, body);
    const std::size_t length = head + 4 + body;
    if (length > answer_max) {
        throw std::runtime_error("an answer that is too long");
    }
    return length <= bytes.size() ? length : 0;
}

}  // namespace rollcall::bench
