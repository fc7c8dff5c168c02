#include "http/client_stream.hpp"

#include <utility>

namespace rollcall::http {

using Phase = ResponseReader::Phase;

ClientStream::ClientStream(std::unique_ptr<ClientPool::Lease> lease, bool head_only,
                           std::size_t header_bytes_max)
    : lease_(std::move(lease)), reader_(head_only, header_bytes_max) {}

Task<bool> ClientStream::send(std::string_view head, std::string_view piece,
                              std::string_view tail) {
    if (closed_) co_return false;
    co_return co_await lease_->connection().write(head, piece, tail);
}

// Waits for more of the answer. False when no more comes.
Task<bool> ClientStream::advance() {
    if (closed_) co_return false;
    const auto count = co_await lease_->connection().fill();
    answered_ = answered_ || count.value_or(0) > 0;
    if (count == 0) reader_.end_of_input();
    co_return count.value_or(0) > 0;
}

Task<bool> ClientStream::read_head() {
    ClientConnection& connection = lease_->connection();
    for (;;) {
        connection.take(reader_.parse(connection.unread()));
        if (reader_.phase() == Phase::body || reader_.phase() == Phase::complete) co_return true;
        malformed_ = reader_.phase() == Phase::fault;
        if (malformed_ || !co_await advance()) co_return false;
    }
}

Task<std::optional<std::string_view>> ClientStream::read() {
    ClientConnection& connection = lease_->connection();
    for (;;) {
        if (reader_.phase() == Phase::complete) co_return std::string_view();
        connection.take(reader_.parse(connection.unread()));
        if (!reader_.piece().empty()) co_return reader_.piece();
        malformed_ = reader_.phase() == Phase::fault;
        if (malformed_) co_return std::nullopt;
        if (reader_.phase() == Phase::complete) continue;
        const bool more = co_await advance();
        if (!more && reader_.phase() != Phase::complete) co_return std::nullopt;
    }
}

Task<std::optional<std::string_view>> ClientStream::read_raw() {
    ClientConnection& connection = lease_->connection();
    if (connection.unread().empty()) {
        if (closed_) co_return std::nullopt;
        const auto count = co_await connection.fill();
        if (!count) co_return std::nullopt;
    }
    const std::string_view bytes = connection.unread();
    connection.take(bytes.size());
    co_return bytes;
}

void ClientStream::close() {
    closed_ = true;
    lease_->connection().close();
}

void ClientStream::release() {
    if (!closed_ && reader_.keep_alive() && lease_->connection().unread().empty()) lease_->keep();
}

}  // namespace rollcall::http
