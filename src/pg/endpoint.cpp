#include "pg/endpoint.hpp"

#include <libpq-fe.h>
#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <memory>
#include <optional>
#include <string_view>

namespace rollcall::pg {
namespace {

using Options = Endpoint::Options;

struct FreeInfo {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Info = std::unique_ptr<PQconninfoOption, FreeInfo>;

struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};

Options collect(const Info& info) {
    Options options;
    for (const PQconninfoOption* option = info.get(); option && option->keyword; ++option) {
        if (option->val != nullptr && *option->val != '\0') {
            options.emplace_back(option->keyword, option->val);
        }
    }
    return options;
}

std::string value_of(const Options& options, std::string_view keyword) {
    const auto found = std::ranges::find(options, keyword, &Options::value_type::first);
    return found == options.end() ? std::string() : found->second;
}

void set(Options& options, std::string_view keyword, std::string value) {
    std::erase_if(options, [&](const auto& option) { return option.first == keyword; });
    options.emplace_back(keyword, std::move(value));
}

// What holds once the service file and the environment have had their say. Only libpq knows how to
// read them, and tells it of a connection only; a value that it refuses after it has gathered the
// options, and before it connects, gives one that never was.
Options effective(Options options) {
    set(options, "target_session_attrs", "none-such");
    const OptionArrays arrays(options);
    const std::unique_ptr<PGconn, Finish> never(
        PQconnectStartParams(arrays.keywords.data(), arrays.values.data(), 0));
    return collect(Info(PQconninfo(never.get())));
}

std::vector<std::string> split(std::string_view list) {
    std::vector<std::string> parts;
    while (true) {
        const std::size_t comma = list.find(',');
        parts.emplace_back(list.substr(0, comma));
        if (comma == std::string_view::npos) return parts;
        list.remove_prefix(comma + 1);
    }
}

// The hosts one by one; none when there is nothing to list, or the lists do not fit together.
std::vector<Address> list_hosts(const Options& options) {
    const std::string host = value_of(options, "host");
    const std::string hostaddr = value_of(options, "hostaddr");
    const auto names = split(host);
    const auto addresses = split(hostaddr);
    const auto ports = split(value_of(options, "port"));
    const std::size_t count = hostaddr.empty() ? names.size() : addresses.size();
    const bool fit =
        (host.empty() || names.size() == count) && (ports.size() == 1 || ports.size() == count);
    std::vector<Address> hosts;
    if (!fit || (host.empty() && hostaddr.empty())) return hosts;
    for (std::size_t i = 0; i < count; ++i) {
        hosts.push_back({.host = host.empty() ? "" : names[i],
                         .hostaddr = hostaddr.empty() ? "" : addresses[i],
                         .port = ports[ports.size() == 1 ? 0 : i]});
    }
    return hosts;
}

// Made of a password with an unescaped `/` or `@`: libpq would take it, and quote it when it does
// not lead anywhere.
bool part_of_a_password(const Address& address) {
    return address.host.find('@', 1) != std::string::npos ||
           !std::ranges::all_of(address.port, [](char c) { return c >= '0' && c <= '9'; });
}

bool needs_resolver(const Address& address) {
    const std::string& host = address.host;
    if (!address.hostaddr.empty() || host.empty() || host.front() == '/' || host.front() == '@') {
        return false;
    }
    boost::system::error_code error;
    asio::ip::make_address(host, error);
    return error.failed();
}

// getaddrinfo cannot be interrupted; it runs on Asio's resolver thread, and a lookup that outlasts
// its deadline is left to end by itself.
struct Lookup {
    explicit Lookup(Executor executor, std::shared_ptr<SteadyTimer> timer)
        : resolver(executor), done(std::move(timer)) {}

    asio::ip::basic_resolver<asio::ip::tcp, Executor> resolver;
    std::shared_ptr<SteadyTimer> done;
    bool over = false;
    boost::system::error_code error;
    std::vector<std::string> addresses;
};

Task<std::shared_ptr<Lookup>> look_up(std::string host, std::shared_ptr<SteadyTimer> timer,
                                      SteadyTime deadline) {
    auto lookup = std::make_shared<Lookup>(co_await asio::this_coro::executor, timer);
    timer->expires_at(deadline);
    lookup->resolver.async_resolve(
        host, "", asio::ip::resolver_base::flags(),
        [lookup](const boost::system::error_code& error, const auto& results) {
            if (lookup->over) return;
            lookup->error = error;
            for (const auto& result : results) {
                std::string address = result.endpoint().address().to_string();
                if (std::ranges::find(lookup->addresses, address) == lookup->addresses.end()) {
                    lookup->addresses.push_back(std::move(address));
                }
            }
            lookup->done->cancel();
        });
    boost::system::error_code ignored;
    co_await timer->async_wait(asio::redirect_error(use_task, ignored));
    lookup->over = true;  // the timer is for other things now
    co_return lookup;
}

}  // namespace

OptionArrays::OptionArrays(const Endpoint::Options& options) {
    for (const auto& [keyword, value] : options) {
        keywords.push_back(keyword.c_str());
        values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
}

Result<Endpoint> Endpoint::parse(const DatabaseConfig& config) {
    char* reason = nullptr;
    const Info info(PQconninfoParse(std::string(config.url.reveal()).c_str(), &reason));
    PQfreemem(reason);
    const auto malformed =
        fail(ErrorCode::bad_configuration,
             "the database URL is neither a postgresql:// URI nor libpq's keyword=value form; "
             "percent-encode special characters of the password");
    if (!info) return malformed;
    Endpoint endpoint;
    endpoint.given_ = collect(info);
    const Options all = effective(endpoint.given_);

    const auto unless_set = [&](std::string_view keyword, std::string value) {
        if (value_of(all, keyword).empty()) {
            endpoint.given_.emplace_back(keyword, std::move(value));
        }
    };
    set(endpoint.given_, "client_encoding", "UTF8");
    unless_set("fallback_application_name", config.application_name);
    // Without these a peer that vanished without a word is noticed after two hours or more.
    unless_set("keepalives_idle", "15");
    unless_set("keepalives_interval", "5");
    unless_set("keepalives_count", "3");
    unless_set("tcp_user_timeout", "20000");

    endpoint.hosts_ = list_hosts(all);
    if (std::ranges::any_of(endpoint.hosts_, part_of_a_password)) return malformed;
    return endpoint;
}

Task<Outcome<std::vector<Address>>> Endpoint::resolve(std::shared_ptr<SteadyTimer> timer,
                                                      SteadyTime deadline) const {
    std::vector<Address> addresses;
    std::string trouble;
    for (const Address& host : hosts_) {
        if (!needs_resolver(host)) {
            addresses.push_back(host);
            continue;
        }
        // A name server that does not answer must leave time for the other hosts and to connect.
        const auto now = std::chrono::steady_clock::now();
        const auto shares = std::ssize(hosts_) - (&host - hosts_.data()) + 1;
        const auto share = std::max(deadline - now, SteadyTime::duration::zero()) / shares;
        const auto lookup = co_await look_up(host.host, timer, now + share);
        for (const std::string& address : lookup->addresses) {
            addresses.push_back({host.host, address, host.port});
        }
        if (lookup->addresses.empty()) {
            const std::string reason = lookup->error ? lookup->error.message() : "timed out";
            trouble += (trouble.empty() ? "" : "; ") + host.host + ": " + reason;
        }
    }
    if (addresses.empty() && !hosts_.empty()) {
        co_return std::unexpected(unavailable("database host cannot be resolved: " + trouble));
    }
    co_return addresses;
}

Endpoint::Options Endpoint::options(const std::vector<Address>& addresses) const {
    Options options = given_;
    if (addresses.empty()) return options;
    const auto join = [&](std::string Address::* part) {
        std::string list;
        for (const Address& address : addresses) {
            list += (&address == addresses.data() ? "" : ",") + address.*part;
        }
        return list;
    };
    set(options, "host", join(&Address::host));
    set(options, "hostaddr", join(&Address::hostaddr));
    set(options, "port", join(&Address::port));
    for (const std::string_view list : {"host", "hostaddr"}) {
        const bool empty = value_of(options, list).find_first_not_of(',') == std::string::npos;
        if (empty) std::erase_if(options, [&](const auto& o) { return o.first == list; });
    }
    return options;
}

}  // namespace rollcall::pg
