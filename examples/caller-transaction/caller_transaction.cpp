#include "caller_transaction.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace caller {
namespace {

using namespace std::chrono;
using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

[[noreturn]] void fail(std::string message, const char* state = nullptr) {
    while (message.ends_with('\n')) message.pop_back();
    throw DatabaseError(message, state == nullptr ? "" : state);
}

// The next result, or nullptr after the last; never later than `deadline`.
Result next_result(PGconn* connection, steady_clock::time_point deadline) {
    while (PQisBusy(connection) != 0) {
        const auto left = ceil<milliseconds>(deadline - steady_clock::now()).count();
        if (left <= 0) fail("no answer from the database in time");
        pollfd socket{.fd = PQsocket(connection), .events = POLLIN, .revents = 0};
        if (poll(&socket, 1, static_cast<int>(left)) < 0 && errno != EINTR) fail("poll failed");
        if (socket.revents != 0 && PQconsumeInput(connection) == 0) {
            fail(PQerrorMessage(connection));
        }
    }
    return {PQgetResult(connection), &PQclear};
}

// Sends one statement and waits for its only result, whatever it says.
Result run(PGconn* connection, const std::string& statement, const std::vector<Value>& values,
           milliseconds limit) {
    const auto deadline = steady_clock::now() + limit;
    std::vector<const char*> texts;
    texts.reserve(values.size());
    for (const Value& value : values) texts.push_back(value ? value->c_str() : nullptr);
    if (PQsendQueryParams(connection, statement.c_str(), static_cast<int>(texts.size()), nullptr,
                          texts.data(), nullptr, nullptr, /*resultFormat=*/0) == 0) {
        fail(PQerrorMessage(connection));
    }
    Result only = next_result(connection, deadline);
    if (!only) fail("the database gave no result");
    const ExecStatusType status = PQresultStatus(only.get());
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
        fail("COPY is not for here");  // the connection is in the middle of it, and is closed
    }
    while (next_result(connection, deadline)) {
    }
    return only;
}

Result run_well(PGconn* connection, const std::string& statement, const std::vector<Value>& values,
                milliseconds limit) {
    Result result = run(connection, statement, values, limit);
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fail(PQresultErrorMessage(result.get()),
             PQresultErrorField(result.get(), PG_DIAG_SQLSTATE));
    }
    return result;
}

// Statements of our own: they do nothing that takes time.
void command(PGconn* connection, const std::string& statement, milliseconds limit) {
    run_well(connection, statement, {}, limit);
}

std::string json_string(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20) {
            out += "\\u00";
            out += digits[byte >> 4U];
            out += digits[byte & 0xFU];
        } else {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
    }
    return out + '"';
}

Connection connect(const std::string& url, const Limits& limits) {
    const std::string seconds = std::to_string(ceil<std::chrono::seconds>(limits.connect).count());
    const std::string unacknowledged = std::to_string((limits.statement + limits.grace).count());
    const std::array<const char*, 4> names{"dbname", "connect_timeout", "tcp_user_timeout",
                                           nullptr};
    const std::array<const char*, 4> values{url.c_str(), seconds.c_str(), unacknowledged.c_str(),
                                            nullptr};
    Connection made(PQconnectdbParams(names.data(), values.data(), /*expand_dbname=*/1));
    if (PQstatus(made.get()) != CONNECTION_OK) fail(PQerrorMessage(made.get()));
    return made;
}

}  // namespace

void CloseConnection::operator()(pg_conn* connection) const {
    PQfinish(connection);
}

Connections::Connections(std::string url, Limits limits, std::size_t idle_max)
    : url_(std::move(url)), limits_(limits), idle_max_(idle_max) {}

Connection Connections::begun() {
    while (!idle_.empty()) {
        Connection kept = std::move(idle_.back());
        idle_.pop_back();
        try {
            command(kept.get(), "BEGIN", limits_.grace);
            return kept;
        } catch (const DatabaseError&) {  // it went while nobody looked; closed here
        }
    }
    Connection fresh = connect(url_, limits_);
    command(fresh.get(), "BEGIN", limits_.grace);
    return fresh;
}

void Connections::give_back(Connection used) noexcept {
    if (!used || idle_.size() >= idle_max_) return;
    try {
        const PGTransactionStatusType status = PQtransactionStatus(used.get());
        if (status == PQTRANS_INTRANS || status == PQTRANS_INERROR) {
            command(used.get(), "ROLLBACK", limits_.grace);
        }
        // What a statement set for the session, or left in it, goes too. Refused, and the
        // connection closed, where a transaction is still open.
        command(used.get(), "DISCARD ALL", limits_.grace);
        idle_.push_back(std::move(used));
    } catch (const std::exception&) {  // closed, which rolls back and forgets everything
    }
}

CallerTransaction::CallerTransaction(Connections& connections, const Caller& caller)
    : connections_(connections), connection_(connections.begun()) {
    try {
        open_as(caller);
    } catch (...) {
        connections_.give_back(std::move(connection_));
        throw;
    }
}

// set_config with `true` is SET LOCAL with parameters: it ends with the transaction.
void CallerTransaction::open_as(const Caller& caller) {
    const bool anonymous = caller.subject.empty() && caller.claims.empty();
    const std::string role = anonymous ? "anon" : "authenticated";
    std::string claims = caller.claims;
    if (claims.empty()) {
        claims = "{\"role\":" + json_string(role);
        if (!anonymous) claims += ",\"sub\":" + json_string(caller.subject);
        claims += "}";
    }
    const auto statement = std::to_string(connections_.limits_.statement.count());
    run_well(connection_.get(),
             "SELECT set_config('statement_timeout', $1, true), "
             "set_config('request.jwt.claims', $2, true), set_config('role', $3, true)",
             {statement, claims, role}, connections_.limits_.grace);
}

CallerTransaction::~CallerTransaction() {
    connections_.give_back(std::move(connection_));
}

Rows CallerTransaction::execute(const std::string& statement, const std::vector<Value>& values) {
    if (!connection_ || PQtransactionStatus(connection_.get()) != PQTRANS_INTRANS) {
        fail("the transaction has ended, or failed");
    }
    const Limits& limits = connections_.limits_;
    const Result result =
        run_well(connection_.get(), statement, values, limits.statement + limits.grace);
    // What came after would run as the connection's own role. COMMIT AND CHAIN leaves a transaction
    // open, too; ROLLBACK TO a savepoint looks the same and counts as the end.
    const std::string_view tag = PQcmdStatus(result.get());
    if (PQtransactionStatus(connection_.get()) != PQTRANS_INTRANS || tag == "COMMIT" ||
        tag == "ROLLBACK") {
        connection_.reset();
        fail("the statement ended the transaction");
    }
    Rows rows(static_cast<std::size_t>(PQntuples(result.get())));
    for (int row = 0; row < PQntuples(result.get()); ++row) {
        for (int column = 0; column < PQnfields(result.get()); ++column) {
            const bool null = PQgetisnull(result.get(), row, column) != 0;
            rows[static_cast<std::size_t>(row)].push_back(
                null ? Value() : Value(PQgetvalue(result.get(), row, column)));
        }
    }
    return rows;
}

void CallerTransaction::commit() {
    if (!connection_ || PQtransactionStatus(connection_.get()) != PQTRANS_INTRANS) {
        fail("the transaction has ended, or failed");
    }
    Connection ending = std::move(connection_);
    const Limits& limits = connections_.limits_;
    run_well(ending.get(), "COMMIT", {}, limits.statement + limits.grace);
    connections_.give_back(std::move(ending));
}

}  // namespace caller
