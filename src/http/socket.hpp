// The socket of this event loop: with the concrete executor, as all of the project's.
#pragma once

#include "base/task.hpp"

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace rollcall::http {

using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;

}  // namespace rollcall::http
