#include "gate/caller_memory.hpp"

namespace rollcall::gate {
namespace {

// No id of Clerk's has a control character.
std::string key_of(std::string_view clerk_id, std::string_view session_id) {
    std::string key;
    key.reserve(clerk_id.size() + 1 + session_id.size());
    key.append(clerk_id).append(1, '\0').append(session_id);
    return key;
}

}  // namespace

std::shared_ptr<CallerRecord> CallerMemory::use(std::string_view clerk_id,
                                                std::string_view session_id) {
    std::string key = key_of(clerk_id, session_id);
    if (const auto found = records_.find(key); found != records_.end()) {
        order_.splice(order_.begin(), order_, found->second);
        return order_.front();
    }
    auto record = std::make_shared<CallerRecord>();
    record->clerk_id = clerk_id;
    record->session_id = session_id;
    order_.push_front(record);
    records_.emplace(std::move(key), order_.begin());
    if (order_.size() > entries_max_) {
        const CallerRecord& oldest = *order_.back();
        records_.erase(key_of(oldest.clerk_id, oldest.session_id));
        order_.pop_back();
        ++evicted_;
    }
    return record;
}

}  // namespace rollcall::gate
