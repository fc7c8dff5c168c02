// The messages that the simulated Clerk owes its webhook endpoint, with Svix's rules: retried on a
// fixed schedule until a 2xx, at least once, in no promised order, and kept afterwards, so that a
// person can send them again. Pure: decides what is sent when; ClerkDelivery sends. In memory and
// bounded: the oldest finished messages go first, and a message that finds no room is lost.
#pragma once

#include "base/clock.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rollcall::sim {

enum class MessageStatus : std::uint8_t {
    pending,    // will be sent
    delivered,  // a 2xx came
    failed,     // the schedule is over, or the receiver asked to stop
    missing,    // never sent: dropped, or there was no endpoint
};
[[nodiscard]] std::string_view to_string(MessageStatus status);

enum class Trigger : std::uint8_t { schedule, duplicate, manual };
[[nodiscard]] std::string_view to_string(Trigger trigger);

struct Attempt {
    std::int64_t at = 0;  // unix milliseconds
    Trigger trigger = Trigger::schedule;
    unsigned status = 0;  // of the answer; 0: there was none, see `error`
    std::string error;
    std::chrono::milliseconds duration{};
};

struct Message {
    std::uint64_t serial = 0;
    std::string id;  // svix-id: msg_…
    std::string type;
    std::string subject;
    std::string body;             // the exact bytes of every attempt
    std::int64_t created_at = 0;  // unix milliseconds
    bool delivered = false;
    bool given_up = false;
    unsigned tries = 0;             // of the schedule
    unsigned outstanding = 0;       // planned or under way
    std::vector<Attempt> attempts;  // the last `attempts_max`

    [[nodiscard]] MessageStatus status() const;
};

// How one attempt ended.
struct Outcome {
    Attempt attempt;
    bool timed_out = false;
    bool abort = false;  // webhook-delivery: abort-message
    std::optional<std::chrono::seconds> retry_after;
};

// How a message is first sent.
struct SendPlan {
    bool dropped = false;
    bool duplicated = false;
    std::chrono::milliseconds delay{0};
    bool held = false;  // until another message was sent, at most for `delay`
};

// Svix's schedule: each delay counts from the attempt before.
inline constexpr std::array<std::chrono::seconds, 8> retry_schedule{
    std::chrono::seconds(0),  std::chrono::seconds(5), std::chrono::minutes(5),
    std::chrono::minutes(30), std::chrono::hours(2),   std::chrono::hours(5),
    std::chrono::hours(10),   std::chrono::hours(10)};

// The delay after attempt number `tries` (1 is the first) failed; nothing when that was the last.
// After a time-out or a 429 at least a minute; Retry-After counts between once and twice the
// scheduled delay. Divided by `speed`.
[[nodiscard]] std::optional<std::chrono::nanoseconds> retry_delay(unsigned tries,
                                                                  const Outcome& outcome,
                                                                  double speed);

class MessageLog {
public:
    static constexpr std::size_t attempts_max = 32;

    struct Send {
        std::uint64_t message = 0;
        Trigger trigger = Trigger::schedule;
    };

    // `speed` divides every delay of the schedule. At most `messages_max` are kept.
    MessageLog(std::size_t messages_max, double speed);

    // Takes a message in. Null, and counted as lost, when there is no room.
    const Message* add(Message message, const SendPlan& plan, SteadyTime now);

    // The next send that is due; the caller must finish() it. Messages about one subject are sent
    // one after the other, so that without faults they arrive in order; a failed one holds up
    // nothing, and a duplicate goes beside its original.
    std::optional<Send> take_due(SteadyTime now);
    // When take_due() will have something, unless an attempt ends before.
    [[nodiscard]] std::optional<SteadyTime> next_due() const;
    void finish(const Send& send, Outcome outcome, SteadyTime now);

    // Plans one attempt now, outside the schedule. False when there is no such message.
    bool resend(std::string_view id, SteadyTime now);
    // The same for every message of a status made at or after `since`; returns how many.
    std::size_t replay(MessageStatus status, std::int64_t since, SteadyTime now);

    [[nodiscard]] const Message* find(std::uint64_t serial) const;
    [[nodiscard]] const Message* find(std::string_view id) const;
    // In the order in which they were made.
    [[nodiscard]] const std::map<std::uint64_t, Message>& all() const { return messages_; }
    [[nodiscard]] std::size_t count(MessageStatus status) const;
    [[nodiscard]] std::uint64_t lost() const { return lost_; }
    // Forgets everything; attempts under way are ignored when they end.
    void clear();

private:
    using Due = std::multimap<SteadyTime, Send>;

    [[nodiscard]] Due::const_iterator first_sendable() const;
    void plan(Message& message, Trigger trigger, SteadyTime due);
    void unplan_schedule(Message& message);
    void release_held(std::uint64_t but, SteadyTime now);
    bool make_room();

    std::size_t messages_max_;
    double speed_;
    std::map<std::uint64_t, Message> messages_;
    std::unordered_map<std::string, std::uint64_t> serials_;
    Due due_;
    std::set<std::string, std::less<>> subjects_under_way_;
    std::set<std::uint64_t> held_;
    std::set<std::uint64_t> idle_;  // nothing planned or under way: may be forgotten
    std::uint64_t next_serial_ = 1;
    std::uint64_t lost_ = 0;
};

}  // namespace rollcall::sim
