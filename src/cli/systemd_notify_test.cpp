#include "cli/systemd_notify.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cstring>
#include <filesystem>

namespace rollcall::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

// The service manager's end of the socket.
class Manager {
public:
    explicit Manager(std::string name) : name_(std::move(name)) {
        socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name_.data(), name_.size());
        if (name_.front() == '@') address.sun_path[0] = '\0';
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
        EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), length), 0);
    }
    ~Manager() {
        ::close(socket_);
        if (name_.front() == '/') std::filesystem::remove(name_);
    }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    // What it was told since the last call.
    std::vector<std::string> told() {
        std::vector<std::string> out;
        char text[256];
        for (;;) {
            const ssize_t size = ::recv(socket_, text, sizeof text, 0);
            if (size < 0) return out;
            out.emplace_back(text, static_cast<std::size_t>(size));
        }
    }
    const std::string& name() { return name_; }

private:
    std::string name_;
    int socket_;
};

std::string socket_path() {
    return std::filesystem::temp_directory_path() /
           ("rollcall-notify-" + std::to_string(::getpid()));
}

TEST(SystemdNotify, TellsReadyReloadingAndStopping) {
    for (const std::string& name :
         {socket_path(), "@rollcall-notify-" + std::to_string(::getpid())}) {
        Manager manager(name);
        asio::io_context loop;
        SystemdNotify systemd(loop.get_executor(), {{"NOTIFY_SOCKET", name}});
        EXPECT_THAT(manager.told(), IsEmpty());
        systemd.ready();
        systemd.reloading();
        systemd.ready();
        systemd.stopping();
        EXPECT_THAT(manager.told(),
                    ElementsAre("READY=1", StartsWith("RELOADING=1\nMONOTONIC_USEC="), "READY=1",
                                "STOPPING=1"));
        EXPECT_EQ(loop.run(), 0U) << "nobody asked for a sign of life";
    }
}

TEST(SystemdNotify, SaysThatTheLoopGoesRoundWhileItDoes) {
    Manager manager(socket_path());
    asio::io_context loop;
    SystemdNotify systemd(loop.get_executor(),
                          {{"NOTIFY_SOCKET", manager.name()}, {"WATCHDOG_USEC", "2000"}});
    EXPECT_THAT(manager.told(), ElementsAre("WATCHDOG=1"));
    EXPECT_THAT(manager.told(), IsEmpty());
    loop.run_one();
    EXPECT_THAT(manager.told(), ElementsAre("WATCHDOG=1"));
}

TEST(SystemdNotify, WhoIsNotWatchedSaysNothing) {
    for (const auto& [usec, pid] : std::vector<std::pair<std::string, std::string>>{
             {"2000", "1"}, {"0", ""}, {"-1", ""}, {"soon", ""}, {"", ""}}) {
        Manager manager(socket_path());
        asio::io_context loop;
        const SystemdNotify systemd(
            loop.get_executor(),
            {{"NOTIFY_SOCKET", manager.name()}, {"WATCHDOG_USEC", usec}, {"WATCHDOG_PID", pid}});
        EXPECT_EQ(loop.run(), 0U) << usec;
        EXPECT_THAT(manager.told(), IsEmpty()) << usec;
    }
}

TEST(SystemdNotify, WithoutAManagerNothingHappens) {
    for (const std::string& name :
         {std::string(), socket_path(), std::string("vsock:2:1"), "/" + std::string(200, 'x')}) {
        asio::io_context loop;
        SystemdNotify systemd(loop.get_executor(), {{"NOTIFY_SOCKET", name}});
        systemd.ready();
        systemd.stopping();
        EXPECT_EQ(loop.run(), 0U);
    }
}

}  // namespace
}  // namespace rollcall::cli
