// What was last known of callers, bounded: who was unused longest goes first. No I/O; one event
// loop. A record that has gone lives on for who still holds it.
#pragma once

#include "base/clock.hpp"
#include "base/wakeup.hpp"
#include "directory/standings.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rollcall::gate {

struct CallerRecord {
    std::string clerk_id;
    std::string session_id;
    std::optional<directory::Standing> standing;  // nothing: not asked yet
    SteadyTime asked_at;         // the moment as of which the standing is, at least
    std::uint64_t question = 0;  // the number of the question that it answers
    bool waits = false;          // for the next question
    bool asking = false;         // one is under way
    std::vector<std::shared_ptr<Wakeup>> waiters;
};

class CallerMemory {
public:
    explicit CallerMemory(std::size_t entries_max) : entries_max_(entries_max) {}

    // The record of this user in this session, made where there is none; the most recently used
    // one from now on.
    std::shared_ptr<CallerRecord> use(std::string_view clerk_id, std::string_view session_id);

    [[nodiscard]] std::size_t size() const { return order_.size(); }
    [[nodiscard]] std::size_t evicted() const { return evicted_; }

private:
    struct Key {  // texts of the record
        std::string_view clerk_id, session_id;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const;
    };
    using Order = std::list<std::shared_ptr<CallerRecord>>;  // the most recently used first

    std::size_t entries_max_;
    std::size_t evicted_ = 0;
    Order order_;
    std::unordered_map<Key, Order::iterator, KeyHash> records_;
};

}  // namespace rollcall::gate
