// Tells the service manager how the service is, as sd_notify(3) has it: datagrams to the socket
// that $NOTIFY_SOCKET names, without a library. Does nothing where there is none. What cannot be
// told is logged and ends nothing: systemd then judges by its own time limits.
#pragma once

#include "base/task.hpp"
#include "cli/environment.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace rollcall::cli {

class SystemdNotify {
public:
    // Where $WATCHDOG_USEC asks for it, a timer of the event loop says twice in that time that the
    // loop goes round: one that stands still says nothing, and systemd starts the service anew.
    SystemdNotify(Executor executor, const Environment& environment);
    ~SystemdNotify();
    SystemdNotify(const SystemdNotify&) = delete;
    SystemdNotify& operator=(const SystemdNotify&) = delete;

    // The listeners are open; also the end of a reload, whatever came of it.
    void ready();
    void reloading();
    void stopping();

private:
    void tell(std::string_view state);
    void ping();

    std::string address_;  // of sockaddr_un: a path, or a leading zero byte and an abstract name
    int socket_ = -1;
    std::chrono::microseconds ping_interval_{};
    SteadyTimer timer_;
};

}  // namespace rollcall::cli
