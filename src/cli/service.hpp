// The whole service, wired: every part is made here, in the order in which it may refer to others,
// and destroyed in reverse. No other place knows more than two parts.
#pragma once

#include "base/metrics.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "cli/config.hpp"
#include "cli/gate_config.hpp"
#include "cli/settings.hpp"
#include "directory/change.hpp"
#include "jobs/queue.hpp"
#include "sync/run.hpp"

#include <functional>
#include <memory>
#include <string_view>

namespace rollcall::cli {

// Who is told. Called on the event loop; must not block.
struct Observers {
    // The users table is not as the settings say, or the secret key is of another Clerk instance
    // than the table's; no waiting mends that, the service should end.
    std::function<void(const Error&)> refused;
    // What `rollcall dev` watches.
    std::function<void(const jobs::NewJob&, const jobs::Enqueued&)> stored;
    std::function<void(std::string_view kind, std::string_view clerk_id, directory::Outcome)>
        changed;
    sync::RunObserver passed;
};

class Service {
public:
    Service(Executor executor, Settings settings, Config config, GateConfig gate,
            Observers observers = {});
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    // Opens the listeners and starts the work of the configured roles. Does not wait for the
    // database: until it is there, with its schema, webhooks are answered 503 and /readyz says so.
    Result<void> start();

    // /readyz fails at once; after the shutdown delay the listeners close, requests and jobs in
    // flight end (at most the drain timeout), leases of the rest are given back. Returns within
    // three seconds more, whatever hangs; false when something still runs: the event loop must not
    // run any more then, and the service cannot be taken apart.
    Task<bool> drain();

    // Takes what may change while running (webhook secrets, roles, log level, the policy) and logs
    // the keys that wait for a restart.
    void reload(Settings settings, const Config& config, const GateConfig& gate);
    // A reload whose configuration was refused: counted and logged, nothing changes.
    void reload_failed(const Error& error);

    [[nodiscard]] unsigned short public_port() const;
    [[nodiscard]] unsigned short admin_port() const;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace rollcall::cli
