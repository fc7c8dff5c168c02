// Sends the messages of a simulated Clerk to its webhook endpoint as Svix does: POST, signed anew
// on each attempt under the same svix-id, fifteen seconds for an answer, only 2xx counts. What is
// sent when is MessageLog's; this is the part that waits. One event loop. It keeps itself alive
// while attempts are under way.
#pragma once

#include "base/task.hpp"
#include "base/wakeup.hpp"
#include "http/client.hpp"
#include "sim/clerk_instance.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace rollcall::sim {

class ClerkDelivery : public std::enable_shared_from_this<ClerkDelivery> {
public:
    static constexpr std::size_t attempts_under_way_max = 16;
    static constexpr std::chrono::seconds attempt_timeout{15};

    ClerkDelivery(const Executor& executor, std::shared_ptr<ClerkInstance> clerk);
    ClerkDelivery(const ClerkDelivery&) = delete;
    ClerkDelivery& operator=(const ClerkDelivery&) = delete;

    // Starts to send; also what is due already.
    void start();
    // Something may be due sooner than before, or the endpoint changed.
    void wake() { changed_.wake(); }
    // Starts no more attempts and waits at most `limit` for those under way.
    Task<> stop(std::chrono::milliseconds limit);

private:
    struct Signed;
    [[nodiscard]] Signed sign(const Message& message);
    Task<> run();
    Task<> attempt(MessageLog::Send send);
    Task<Outcome> post(http::ClientRequest request);
    void record(const MessageLog::Send& send, Outcome outcome);

    Executor executor_;
    std::shared_ptr<ClerkInstance> clerk_;
    http::Client client_;
    Wakeup changed_;
    Wakeup ended_;
    std::size_t under_way_ = 0;
    bool running_ = false;
    bool stopping_ = false;
};

}  // namespace rollcall::sim
