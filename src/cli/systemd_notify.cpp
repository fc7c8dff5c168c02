#include "cli/systemd_notify.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <optional>

namespace rollcall::cli {
namespace {

using std::chrono::microseconds;

std::string_view value_of(const Environment& environment, std::string_view name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string_view() : std::string_view(found->second);
}

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
    if (error != std::errc{} || end != text.end()) return {};
    return value;
}

// Half of the time within which systemd wants to hear something; zero: it does not.
microseconds ping_interval(const Environment& environment) {
    const auto limit = number(value_of(environment, "WATCHDOG_USEC"));
    if (!limit || *limit <= 0) return {};
    // The variables are inherited: a child is not who is watched.
    const std::string_view watched = value_of(environment, "WATCHDOG_PID");
    if (!watched.empty() && number(watched) != ::getpid()) return {};
    return std::max(microseconds(*limit) / 2, microseconds(1'000));
}

// By systemd's clock; what Type=notify-reload compares.
std::int64_t monotonic_microseconds() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000 + now.tv_nsec / 1'000;
}

}  // namespace

SystemdNotify::SystemdNotify(Executor executor, const Environment& environment)
    : address_(value_of(environment, "NOTIFY_SOCKET")), timer_(executor) {
    if (address_.empty()) return;
    const bool abstract = address_.front() == '@';
    if ((!abstract && address_.front() != '/') ||
        address_.size() >= sizeof(sockaddr_un::sun_path)) {
        log::warn("systemd_not_told", {{"message", "NOTIFY_SOCKET is no path or @name"}});
        return;
    }
    if (abstract) address_.front() = '\0';
    socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    // A manager that does not read holds the loop up for no longer than this.
    const timeval limit{.tv_sec = 1, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    ping_interval_ = ping_interval(environment);
    if (ping_interval_ > microseconds::zero()) ping();
}

SystemdNotify::~SystemdNotify() {
    if (socket_ >= 0) ::close(socket_);
}

void SystemdNotify::ready() {
    tell("READY=1");
}

void SystemdNotify::reloading() {
    tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic_microseconds()));
}

void SystemdNotify::stopping() {
    tell("STOPPING=1");
}

void SystemdNotify::tell(std::string_view state) {
    if (socket_ < 0) return;
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, address_.data(), address_.size());
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
    if (::sendto(socket_, state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&to), length) < 0) {
        log::warn("systemd_not_told",
                  {{"state", state.substr(0, state.find('='))}, {"message", std::strerror(errno)}});
    }
}

void SystemdNotify::ping() {
    tell("WATCHDOG=1");
    timer_.expires_after(ping_interval_);
    timer_.async_wait([this](boost::system::error_code error) {
        if (!error) ping();
    });
}

}  // namespace rollcall::cli
