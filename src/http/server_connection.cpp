#include "http/server_connection.hpp"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <cstring>

namespace rollcall::http {
namespace {

using boost::system::error_code;

constexpr std::size_t first_capacity = 8 * 1024;
constexpr std::size_t least_room = 1024;

}  // namespace

ServerConnection::ServerConnection(Socket socket)
    : socket_(std::move(socket)),
      buffer_(std::make_unique_for_overwrite<char[]>(first_capacity)),
      capacity_(first_capacity) {}

void ServerConnection::close() {
    error_code ignored;
    socket_.close(ignored);
}

void ServerConnection::reset() {
    error_code ignored;
    socket_.set_option(asio::socket_base::linger(true, 0), ignored);
    socket_.close(ignored);
}

void ServerConnection::cut(SteadyTime now) {
    if (now >= close_by_) {
        close_by_ = SteadyTime::max();
        close();
    }
    if (now < read_by_) return;
    read_by_ = SteadyTime::max();
    timed_out_ = true;
    error_code ignored;
    socket_.cancel(ignored);
}

void ServerConnection::move_to(std::size_t capacity) {
    const std::size_t size = end_ - begin_;
    auto other = std::make_unique_for_overwrite<char[]>(capacity);
    std::memcpy(other.get(), buffer_.get() + begin_, size);
    buffer_ = std::move(other);
    capacity_ = capacity;
    begin_ = 0;
    end_ = size;
}

asio::mutable_buffer ServerConnection::room() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (capacity_ - end_ < least_room) {
        const std::size_t size = end_ - begin_;
        if (capacity_ - size < least_room) {
            move_to(capacity_ * 2);
        } else {
            std::memmove(buffer_.get(), buffer_.get() + begin_, size);
            begin_ = 0;
            end_ = size;
        }
    }
    return asio::buffer(buffer_.get() + end_, capacity_ - end_);
}

void ServerConnection::widen(std::size_t capacity) {
    if (capacity_ < capacity) move_to(capacity);
}

std::optional<std::size_t> ServerConnection::write_now(const Parts& parts) {
    error_code error;
    const std::size_t count = socket_.write_some(parts, error);
    if (error == asio::error::would_block) return 0;
    if (error) return std::nullopt;
    return count;
}

Task<bool> ServerConnection::write_rest(Parts parts, std::size_t written, SteadyTime deadline) {
    for (asio::const_buffer& part : parts) {
        const std::size_t of_it = std::min(written, part.size());
        part += of_it;
        written -= of_it;
    }
    close_by_ = deadline;
    error_code error;
    co_await asio::async_write(socket_, parts, asio::redirect_error(use_task, error));
    close_by_ = SteadyTime::max();
    co_return !error;
}

}  // namespace rollcall::http
