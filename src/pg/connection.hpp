// One connection to the server, always in libpq's pipeline mode. One coroutine at a time uses it:
// queue statements, exchange() them for results. A pipeline ends in one Sync, so what it holds is
// one implicit transaction unless it says BEGIN. After a failure that leaves the protocol in
// between, and after a coroutine that went away while it waited, the connection is not usable()
// again; whoever owns it drops it.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"
#include "pg/failure.hpp"
#include "pg/params.hpp"
#include "pg/plan.hpp"
#include "pg/rows.hpp"

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct pg_conn;

namespace rollcall::pg {

// Params as the arrays that libpq takes. Kept between statements for their memory.
class Arguments {
public:
    void assign(const Params& params);
    [[nodiscard]] int count() const { return static_cast<int>(values.size()); }

    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
};

class Connection : public std::enable_shared_from_this<Connection> {
public:
    // Takes `established` over.
    Connection(Executor executor, pg_conn* established, std::chrono::milliseconds timeout);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    enum class Use : std::uint8_t {
        named,     // as a prepared statement, prepared now unless it was
        prepared,  // the same, but whatever was prepared is forgotten: the server has lost it
        unnamed,
    };
    // Forgets the last exchange and begins the next pipeline.
    void start(Use use);
    // Adds one statement. Copies the parameters.
    void queue(const Plan& plan, const Params& params);
    // Sends what was queued and reads all answers. False when anything failed: see failure().
    Task<bool> exchange();
    // The result of statement number `index` of the last exchange, once.
    [[nodiscard]] Rows take(std::size_t index);
    // What the last statement says it did: "COMMIT", "INSERT 0 1".
    [[nodiscard]] std::string_view last_tag() const { return last_tag_; }
    [[nodiscard]] Failure& failure() { return *failure_; }

    // SQL text of any number of statements, without parameters, by the simple protocol.
    Task<bool> script(std::string_view text);

    // Waits until the server has sent something, `limit` passes (false), or cancel_wait().
    Task<bool> wait_readable(Duration limit);
    void cancel_wait();
    // Hands out what NOTIFY has brought; false when the connection is lost.
    bool notifications(const std::function<void(std::string_view payload)>& on_notify);

    [[nodiscard]] bool usable() const { return conn_ != nullptr && !spent_ && !in_flight_; }
    // Asks the kernel, without a round trip, whether the server has hung up meanwhile.
    [[nodiscard]] bool alive();
    [[nodiscard]] bool in_transaction() const;
    // Makes the last exchange one that failed: the caller knows more.
    void refuse(Failure failure) { failure_ = std::move(failure); }
    void abandon() { spent_ = true; }
    // To be dropped after its present use.
    void retire() { retired_ = true; }
    [[nodiscard]] bool reusable() const { return usable() && !retired_; }

private:
    struct Command {
        const Plan* plan;
        bool preparing;
    };

    bool collect();
    void accept(pg_result* result);
    void note(Failure failure);
    void end_in_failure();
    Task<bool> flush();
    Task<bool> receive();
    [[nodiscard]] bool tls_holds_input() const;
    void set_deadline();
    void arm(SteadyTime at);
    void close();

    pg_conn* conn_;
    asio::posix::basic_stream_descriptor<Executor> stream_;
    SteadyTimer timer_;
    std::chrono::milliseconds timeout_;
    SteadyTime deadline_ = SteadyTime::max();
    bool armed_ = false;
    bool timed_out_ = false;
    bool in_flight_ = false;
    bool spent_ = false;
    bool retired_ = false;
    bool tls_ = false;
    Use use_ = Use::named;

    Arguments arguments_;
    std::vector<Command> commands_;
    std::vector<Rows> results_;
    std::string last_tag_;
    std::size_t answered_ = 0;  // commands whose answer is complete
    std::optional<Failure> failure_;
    std::vector<bool> prepared_;  // by Plan::id
};

}  // namespace rollcall::pg
