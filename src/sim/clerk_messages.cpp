#include "sim/clerk_messages.hpp"

#include "base/result.hpp"

#include <algorithm>
#include <utility>

namespace rollcall::sim {

namespace {

SteadyTime later(SteadyTime now, std::chrono::nanoseconds delay) {
    return now + std::chrono::duration_cast<SteadyTime::duration>(delay);
}

bool accepted(unsigned status) {
    return status >= 200 && status <= 299;
}

}  // namespace

std::string_view to_string(MessageStatus status) {
    switch (status) {
        case MessageStatus::pending:
            return "pending";
        case MessageStatus::delivered:
            return "delivered";
        case MessageStatus::failed:
            return "failed";
        case MessageStatus::missing:
            return "missing";
    }
    return "";
}

std::string_view to_string(Trigger trigger) {
    switch (trigger) {
        case Trigger::schedule:
            return "schedule";
        case Trigger::duplicate:
            return "duplicate";
        case Trigger::manual:
            return "manual";
    }
    return "";
}

MessageStatus Message::status() const {
    if (delivered) return MessageStatus::delivered;
    if (outstanding > 0) return MessageStatus::pending;
    return given_up || !attempts.empty() ? MessageStatus::failed : MessageStatus::missing;
}

std::optional<std::chrono::nanoseconds> retry_delay(unsigned tries, const Outcome& outcome,
                                                    double speed) {
    if (tries >= retry_schedule.size()) return std::nullopt;
    auto delay = retry_schedule.at(tries);
    if (outcome.timed_out || outcome.attempt.status == 429) {
        delay = std::max<std::chrono::seconds>(delay, std::chrono::minutes(1));
    }
    if (outcome.retry_after) delay = std::clamp(*outcome.retry_after, delay, delay * 2);
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(delay) / speed);
}

MessageLog::MessageLog(std::size_t messages_max, double speed)
    : messages_max_(messages_max), speed_(speed) {
    ensure(messages_max > 0 && speed > 0, "a message log needs room and a positive speed");
}

bool MessageLog::make_room() {
    if (messages_.size() < messages_max_) return true;
    if (idle_.empty()) return false;
    const auto oldest = messages_.find(*idle_.begin());
    idle_.erase(idle_.begin());
    serials_.erase(oldest->second.id);
    messages_.erase(oldest);
    return true;
}

const Message* MessageLog::add(Message message, const SendPlan& send_plan, SteadyTime now) {
    if (!make_room()) {
        ++lost_;
        return nullptr;
    }
    message.serial = next_serial_++;
    serials_[message.id] = message.serial;
    Message& kept = messages_.emplace(message.serial, std::move(message)).first->second;
    if (send_plan.dropped) {
        idle_.insert(kept.serial);
        return &kept;
    }
    plan(kept, Trigger::schedule, later(now, send_plan.delay));
    if (send_plan.duplicated) plan(kept, Trigger::duplicate, later(now, send_plan.delay));
    if (send_plan.held) held_.insert(kept.serial);
    return &kept;
}

void MessageLog::plan(Message& message, Trigger trigger, SteadyTime due) {
    ++message.outstanding;
    idle_.erase(message.serial);
    due_.emplace(due, Send{message.serial, trigger});
}

MessageLog::Due::const_iterator MessageLog::first_sendable() const {
    return std::ranges::find_if(due_, [&](const auto& entry) {
        const Send& send = entry.second;
        return send.trigger == Trigger::duplicate ||
               !subjects_under_way_.contains(messages_.at(send.message).subject);
    });
}

std::optional<MessageLog::Send> MessageLog::take_due(SteadyTime now) {
    const auto at = first_sendable();
    if (at == due_.end() || at->first > now) return std::nullopt;
    const Send send = at->second;
    due_.erase(at);
    held_.erase(send.message);
    const auto& subject = messages_.at(send.message).subject;
    if (send.trigger != Trigger::duplicate && !subject.empty()) subjects_under_way_.insert(subject);
    return send;
}

std::optional<SteadyTime> MessageLog::next_due() const {
    const auto at = first_sendable();
    if (at == due_.end()) return std::nullopt;
    return at->first;
}

void MessageLog::finish(const Send& send, Outcome outcome, SteadyTime now) {
    const auto found = messages_.find(send.message);
    if (found == messages_.end()) return;  // cleared meanwhile
    Message& message = found->second;
    --message.outstanding;
    if (send.trigger != Trigger::duplicate) subjects_under_way_.erase(message.subject);
    if (accepted(outcome.attempt.status)) {
        message.delivered = true;
        unplan_schedule(message);
    } else if (send.trigger == Trigger::schedule && !message.delivered) {
        const auto delay = retry_delay(++message.tries, outcome, speed_);
        message.given_up = outcome.abort || !delay;
        if (!message.given_up) plan(message, Trigger::schedule, later(now, *delay));
    }
    message.attempts.push_back(std::move(outcome.attempt));
    if (message.attempts.size() > attempts_max) message.attempts.erase(message.attempts.begin());
    if (message.outstanding == 0) idle_.insert(message.serial);
    release_held(message.serial, now);
}

// A message that arrived needs no more retries, even where a person's resend brought it.
void MessageLog::unplan_schedule(Message& message) {
    if (message.outstanding == 0) return;
    for (auto at = due_.begin(); at != due_.end();) {
        const bool scheduled =
            at->second.message == message.serial && at->second.trigger == Trigger::schedule;
        if (scheduled) --message.outstanding;
        at = scheduled ? due_.erase(at) : std::next(at);
    }
}

// What was held back to be overtaken by another message now was.
void MessageLog::release_held(std::uint64_t but, SteadyTime now) {
    if (held_.empty()) return;
    std::vector<Send> released;
    for (auto at = due_.begin(); at != due_.end();) {
        const auto serial = at->second.message;
        const bool release = serial < but && held_.contains(serial);
        if (release) released.push_back(at->second);
        at = release ? due_.erase(at) : std::next(at);
    }
    for (const auto& send : released) {
        held_.erase(send.message);
        due_.emplace(now, send);
    }
}

bool MessageLog::resend(std::string_view id, SteadyTime now) {
    const auto serial = serials_.find(std::string(id));
    if (serial == serials_.end()) return false;
    plan(messages_.at(serial->second), Trigger::manual, now);
    return true;
}

std::size_t MessageLog::replay(MessageStatus status, std::int64_t since, SteadyTime now) {
    std::size_t planned = 0;
    for (auto& [serial, message] : messages_) {
        if (message.created_at < since || message.status() != status) continue;
        plan(message, Trigger::manual, now);
        ++planned;
    }
    return planned;
}

const Message* MessageLog::find(std::uint64_t serial) const {
    const auto found = messages_.find(serial);
    return found == messages_.end() ? nullptr : &found->second;
}

const Message* MessageLog::find(std::string_view id) const {
    const auto serial = serials_.find(std::string(id));
    return serial == serials_.end() ? nullptr : find(serial->second);
}

std::size_t MessageLog::count(MessageStatus status) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        messages_, [&](const auto& entry) { return entry.second.status() == status; }));
}

void MessageLog::clear() {
    messages_.clear();
    serials_.clear();
    due_.clear();
    subjects_under_way_.clear();
    held_.clear();
    idle_.clear();
    lost_ = 0;
}

}  // namespace rollcall::sim
