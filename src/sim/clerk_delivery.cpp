#include "sim/clerk_delivery.hpp"

#include "base/log.hpp"
#include "base/result.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace rollcall::sim {

namespace {

using std::chrono::milliseconds;

http::ClientConfig client_config() {
    http::ClientConfig config;
    config.connections_per_host_max = ClerkDelivery::attempts_under_way_max;
    config.body_bytes_max = std::size_t{1024} * 1024;
    config.user_agent = "Svix-Webhooks/1.99.1 (simulated)";
    return config;
}

// Retry-After in seconds; its date form is left alone.
std::optional<std::chrono::seconds> retry_after(const http::Response& response) {
    const auto text = response.headers.get("retry-after");
    if (!text) return std::nullopt;
    unsigned seconds = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
    if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
    return std::chrono::seconds(seconds);
}

}  // namespace

struct ClerkDelivery::Signed {
    std::string timestamp;
    std::string signature;
};

ClerkDelivery::ClerkDelivery(const Executor& executor, std::shared_ptr<ClerkInstance> clerk)
    : executor_(executor),
      clerk_(std::move(clerk)),
      client_(executor, client_config()),
      changed_(executor),
      ended_(executor) {}

void ClerkDelivery::start() {
    ensure(!running_, "the delivery was started twice");
    running_ = true;
    stopping_ = false;
    spawn(executor_, "sim_delivery", [](std::shared_ptr<ClerkDelivery> self) -> Task<> {
        co_await self->run();
        self->running_ = false;
        self->ended_.wake();
    }(shared_from_this()));
}

Task<> ClerkDelivery::run() {
    constexpr std::chrono::hours idle{1};
    while (!stopping_) {
        const auto now = clerk_->clock.steady();
        while (under_way_ < attempts_under_way_max && clerk_->endpoint.reachable()) {
            const auto send = clerk_->messages.take_due(now);
            if (!send) break;
            ++under_way_;
            spawn(executor_, "sim_attempt",
                  [](std::shared_ptr<ClerkDelivery> self, MessageLog::Send one) -> Task<> {
                      co_await self->attempt(one);
                      --self->under_way_;
                      self->changed_.wake();
                      self->ended_.wake();
                  }(shared_from_this(), *send));
        }
        // With no room or no endpoint, the end of an attempt or a change of the endpoint wakes.
        Duration wait = idle;
        const auto due = clerk_->messages.next_due();
        if (due && under_way_ < attempts_under_way_max && clerk_->endpoint.reachable()) {
            wait = std::clamp<Duration>(*due - clerk_->clock.steady(), milliseconds(1), idle);
        }
        co_await changed_.wait(wait);
    }
}

ClerkDelivery::Signed ClerkDelivery::sign(const Message& message) {
    constexpr std::int64_t stale_by = 600;
    auto& faults = clerk_->faults;
    auto mode = SigningMode::valid_keys;
    if (faults.strikes(Fault::old_secret)) mode = SigningMode::old_key;
    if (faults.strikes(Fault::bad_signature)) mode = SigningMode::unknown_key;
    auto at = clerk_->now() / 1000;
    if (faults.strikes(Fault::stale_timestamp)) at -= stale_by;
    auto timestamp = std::to_string(at);
    auto signature =
        clerk_->endpoint.sign(message.id, timestamp, message.body, mode, clerk_->clock.steady());
    return {std::move(timestamp), std::move(signature)};
}

Task<> ClerkDelivery::attempt(MessageLog::Send send) {
    if (clerk_->faults.strikes(Fault::slow_delivery)) co_await sleep(clerk_->faults.slow());
    const auto* message = clerk_->messages.find(send.message);
    if (message == nullptr || stopping_) co_return;
    const auto [timestamp, signature] = sign(*message);
    http::ClientRequest request;
    request.method = "POST";
    request.url = clerk_->endpoint.url;
    request.body = message->body;
    request.timeout = attempt_timeout;
    request.headers.set("Content-Type", "application/json");
    request.headers.set("svix-id", message->id);
    request.headers.set("svix-timestamp", timestamp);
    request.headers.set("svix-signature", signature);
    auto outcome = co_await post(std::move(request));
    outcome.attempt.trigger = send.trigger;
    record(send, std::move(outcome));
}

// The worker's seam: no answer is the outcome of an attempt, not the end of the sender.
Task<Outcome> ClerkDelivery::post(http::ClientRequest request) {
    Outcome outcome;
    outcome.attempt.at = clerk_->now();
    const auto began = clerk_->clock.steady();
    try {
        const auto response = co_await client_.send(std::move(request));
        outcome.attempt.status = response.status;
        outcome.retry_after = retry_after(response);
        const auto wish = response.headers.get("webhook-delivery").value_or("");
        outcome.abort = wish == "abort-message";
        if (wish == "disable") clerk_->endpoint.enabled = false;
    } catch (const Unavailable& failure) {
        outcome.attempt.error = failure.what();
    }
    const auto took = clerk_->clock.steady() - began;
    outcome.attempt.duration = std::chrono::duration_cast<milliseconds>(took);
    outcome.timed_out = outcome.attempt.status == 0 && took >= attempt_timeout;
    const bool accepted = outcome.attempt.status >= 200 && outcome.attempt.status <= 299;
    if (accepted && clerk_->faults.strikes(Fault::ack_lost)) {
        outcome.attempt.status = 0;
        outcome.attempt.error = "the answer was lost (fault ack_lost)";
    }
    co_return outcome;
}

void ClerkDelivery::record(const MessageLog::Send& send, Outcome outcome) {
    if (const auto* message = clerk_->messages.find(send.message)) {
        const auto& attempt = outcome.attempt;
        log::info("sim_delivery", {{"svix_id", message->id},
                                   {"type", message->type},
                                   {"subject", message->subject},
                                   {"status", attempt.status},
                                   {"trigger", to_string(attempt.trigger)},
                                   {"duration_ms", attempt.duration.count()}});
    }
    clerk_->messages.finish(send, std::move(outcome), clerk_->clock.steady());
}

Task<> ClerkDelivery::stop(std::chrono::milliseconds limit) {
    stopping_ = true;
    changed_.wake();
    const auto until = clerk_->clock.steady() + limit;
    while (running_ || under_way_ > 0) {
        const auto left = until - clerk_->clock.steady();
        if (left <= Duration::zero()) break;
        co_await ended_.wait(left);
    }
}

}  // namespace rollcall::sim
