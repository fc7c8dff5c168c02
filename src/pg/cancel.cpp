#include "pg/cancel.hpp"

#include <libpq-fe.h>
#include <array>
#include <atomic>
#include <memory>
#include <system_error>
#include <thread>

namespace rollcall::pg {
namespace {

constexpr int requests_max = 8;
std::atomic<int> requests{0};

}  // namespace

// Detached, not joined: a request to a server that accepts and then says nothing has no limit in
// libpq, and must not hold up the end of the process. The thread touches nothing of ours but the
// counter.
void cancel_in_background(pg_conn* connection) {
    struct Free {
        void operator()(PGcancel* cancel) const { PQfreeCancel(cancel); }
    };
    std::unique_ptr<PGcancel, Free> cancel(PQgetCancel(connection));
    if (!cancel) return;
    if (requests.fetch_add(1) >= requests_max) {
        requests.fetch_sub(1);
        return;
    }
    std::thread([cancel = std::move(cancel)] {
        std::array<char, 256> ignored{};
        PQcancel(cancel.get(), ignored.data(), static_cast<int>(ignored.size()));
        requests.fetch_sub(1);
    }).detach();
}

}  // namespace rollcall::pg
