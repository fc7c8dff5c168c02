// A network between a client and a server that misbehaves when told to: listens on a port of the
// loopback interface, forwards to a Unix socket or a TCP port. Runs on a thread of its own, so that
// what it does to a connection does not wait for the test's event loop.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace rollcall::test {

class FaultProxy {
public:
    explicit FaultProxy(std::string unix_socket_path);
    FaultProxy(std::string address, int port);
    ~FaultProxy();
    FaultProxy(const FaultProxy&) = delete;
    FaultProxy& operator=(const FaultProxy&) = delete;

    [[nodiscard]] int port() const;
    [[nodiscard]] int accepted() const;    // connections so far, refused ones too
    [[nodiscard]] int forwarding() const;  // connections now

    void cut();            // closes every present connection
    void refuse(bool on);  // closes new connections at once
    void stall(bool on);   // holds back all bytes, both ways, of present and new connections
    // Closes the connection after so many more bytes have gone to the server.
    void cut_after(std::size_t bytes);
    // Forwards everything up to and including client data that holds `pattern`; then, once the
    // server has answered it, closes without passing the answer on. Once.
    void lose_answer_to(std::string pattern);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace rollcall::test
