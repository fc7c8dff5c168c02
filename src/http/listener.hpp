// What a server's sessions share, and the task that accepts them. Inside http/ only.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "http/server.hpp"
#include "http/server_metrics.hpp"
#include "http/socket.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <list>
#include <unordered_map>

namespace rollcall::http {

class Session;

// Of the peer, as text; an IPv4 address as that. "" when it has gone already.
[[nodiscard]] std::string address_of(const Socket& socket);

class Listener : public std::enable_shared_from_this<Listener> {
public:
    Listener(Executor executor, ServerConfig config, const Router& router,
             std::shared_ptr<ServerMetrics> families);

    Result<void> start();
    [[nodiscard]] unsigned short port() const;
    Task<> drain(std::chrono::milliseconds limit);
    // Closes everything at once; sessions end as their handlers return.
    void stop();

    // For sessions.
    enum class Doing : std::uint8_t {
        request,  // or what is left of one
        silent,   // has not sent a byte yet
        kept,     // was answered, and may ask again
    };
    struct Entry {
        Session* session;
        Doing doing;
        std::string counted_as;  // in by_address_; "": it is not
    };
    using Place = std::list<Entry>::iterator;
    Place enter(Session& session, const std::string& address);
    void leave(Place place);
    void set(Place place, Doing doing);  // idle: last in line to make room
    [[nodiscard]] bool draining() const { return draining_; }
    [[nodiscard]] SteadyTime now() const { return now_; }  // of the last sweep
    // When `limit` from now is surely over. Coarse: costs no look at the clock, and the sweep that
    // acts on it comes four times a second, or more often for limits below one.
    [[nodiscard]] SteadyTime deadline(std::chrono::milliseconds limit) const {
        return now_ + limit + sweep_period_;
    }
    [[nodiscard]] std::string_view date() const { return date_; }
    [[nodiscard]] std::string make_request_id();
    void log_failure(std::string_view event, const Router::Route& route, std::string_view reason);

    const ServerConfig config;
    const Router& router;
    RequestMetrics metrics;

private:
    Task<> accept_all();
    void admit(Socket socket);
    [[nodiscard]] bool has_room_for(const std::string& address) const;
    [[nodiscard]] std::string counted_as(const std::string& address) const;
    bool make_room();
    void sweep();
    void tell_if_empty();
    [[nodiscard]] std::list<Entry>& all(Doing doing);
    [[nodiscard]] std::size_t connections() const {
        return active_.size() + silent_.size() + kept_.size();
    }

    Executor executor_;
    std::shared_ptr<ServerMetrics> families_;
    prometheus::Counter& turned_away_;
    asio::basic_socket_acceptor<asio::ip::tcp, Executor> acceptor_;
    SteadyTimer sweep_timer_;
    std::chrono::milliseconds sweep_period_;
    std::list<Entry> active_;
    std::list<Entry> silent_;                                  // longest idle first
    std::list<Entry> kept_;                                    // longest idle first
    std::unordered_map<std::string, std::size_t> by_address_;  // connections, where limited
    std::vector<SteadyTimer*> waiting_;  // drains, until no connection is left
    SteadyTime now_;
    std::int64_t date_seconds_ = -1;
    std::string date_;
    Random random_;
    SteadyTime log_again_;
    std::uint64_t not_logged_ = 0;
    bool draining_ = false;
    bool stopped_ = false;
};

}  // namespace rollcall::http
