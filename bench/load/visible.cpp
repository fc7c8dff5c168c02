#include "visible.hpp"

#include "client.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <thread>

namespace rollcall::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds patience{10};
constexpr std::chrono::microseconds between_looks{50};

struct Close {
    void operator()(PGconn* connection) const { PQfinish(connection); }
    void operator()(PGresult* result) const { PQclear(result); }
};
using Database = std::unique_ptr<PGconn, Close>;
using Answer = std::unique_ptr<PGresult, Close>;

Database open_database(const std::string& conninfo) {
    Database database(PQconnectdb(conninfo.c_str()));
    if (PQstatus(database.get()) != CONNECTION_OK) {
        throw std::runtime_error(PQerrorMessage(database.get()));
    }
    const Answer prepared(PQprepare(database.get(), "seen",
                                    "select 1 from public.users where clerk_id = $1", 1, nullptr));
    if (PQresultStatus(prepared.get()) != PGRES_COMMAND_OK) {
        throw std::runtime_error(PQerrorMessage(database.get()));
    }
    return database;
}

bool row_is_there(PGconn* database, const std::string& clerk_id) {
    const std::array<const char*, 1> values{clerk_id.c_str()};
    const Answer answer(PQexecPrepared(database, "seen", 1, values.data(), nullptr, nullptr, 0));
    if (PQresultStatus(answer.get()) != PGRES_TUPLES_OK) {
        throw std::runtime_error(PQerrorMessage(database));
    }
    return PQntuples(answer.get()) == 1;
}

void post(int fd, std::string_view request) {
    while (!request.empty()) {
        const ssize_t sent = send(fd, request.data(), request.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            throw std::runtime_error("the service closed the connection");
        }
        request.remove_prefix(static_cast<std::size_t>(sent));
    }
    std::string bytes;
    int status = 0;
    while (answer_length(bytes, status) == 0) {
        std::array<char, 4096> buffer{};
        const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
        if (got <= 0) {
            throw std::runtime_error("the service closed the connection");
        }
        bytes.append(buffer.data(), static_cast<std::size_t>(got));
    }
    if (status < 200 || status > 299) {
        throw std::runtime_error(fmt::format("answered {}", status));
    }
}

double since_ms(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

}  // namespace

Seen watch_rows(const Watch& watch, const Requests& requests, std::uint64_t first) {
    const Database database = open_database(watch.database);
    Seen seen;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        std::this_thread::sleep_for(watch.pause);
        const std::string clerk_id = watch.user_prefix + user_number(first + i);
        const int fd = connect_to(watch.port);  // a connection each, as a sender that comes rarely
        const Clock::time_point start = Clock::now();
        post(fd, requests.at(i));
        seen.accepted_ms.push_back(since_ms(start));
        while (!row_is_there(database.get(), clerk_id)) {
            if (Clock::now() - start > patience) {
                throw std::runtime_error("no row for " + clerk_id + " within ten seconds");
            }
            std::this_thread::sleep_for(between_looks);
        }
        seen.visible_ms.push_back(since_ms(start));
        close(fd);
    }
    return seen;
}

}  // namespace rollcall::bench
