// Where a database URL leads: libpq's own reading of it (URI or keywords, service file, PG*
// variables), with host names turned into addresses beforehand, because libpq would block the event
// loop while it asks the resolver. Everything else in the URL is passed on as it stands.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "pg/failure.hpp"
#include "pg/pool.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace rollcall::pg {

// One place to try: a host name (kept for the certificate), its address and port.
struct Address {
    std::string host;
    std::string hostaddr;  // empty: a Unix socket, or libpq resolves
    std::string port;
    friend bool operator==(const Address&, const Address&) = default;
};

class Endpoint {
public:
    // Bad configuration when libpq cannot read the URL; its reason may quote the password, so it is
    // not passed on.
    static Result<Endpoint> parse(const DatabaseConfig& config);

    // The hosts in the order given, not resolved; empty when libpq's default is meant, or when the
    // lists of hosts and ports do not fit, which libpq words best.
    [[nodiscard]] const std::vector<Address>& hosts() const { return hosts_; }
    // Every address of every host; unavailable when none has one. What needs no resolver is left
    // as it is. Waits on `timer`; cancelling it ends the wait.
    Task<Outcome<std::vector<Address>>> resolve(std::shared_ptr<SteadyTimer> timer,
                                                SteadyTime deadline) const;

    // What PQconnectStartParams is to be given for these addresses, in that order.
    using Options = std::vector<std::pair<std::string, std::string>>;
    [[nodiscard]] Options options(const std::vector<Address>& addresses) const;

private:
    Options given_;
    std::vector<Address> hosts_;
};

// The same as libpq wants it; views into `options`.
struct OptionArrays {
    explicit OptionArrays(const Endpoint::Options& options);
    std::vector<const char*> keywords;
    std::vector<const char*> values;
};

}  // namespace rollcall::pg
