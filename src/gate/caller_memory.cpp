#include "gate/caller_memory.hpp"

#include <functional>

namespace rollcall::gate {

std::size_t CallerMemory::KeyHash::operator()(const Key& key) const {
    const std::hash<std::string_view> hash;
    return hash(key.clerk_id) * 31 + hash(key.session_id);
}

std::shared_ptr<CallerRecord> CallerMemory::use(std::string_view clerk_id,
                                                std::string_view session_id) {
    if (const auto found = records_.find({clerk_id, session_id}); found != records_.end()) {
        order_.splice(order_.begin(), order_, found->second);
        return order_.front();
    }
    auto record = std::make_shared<CallerRecord>();
    record->clerk_id = clerk_id;
    record->session_id = session_id;
    order_.push_front(record);
    records_.emplace(Key{record->clerk_id, record->session_id}, order_.begin());
    if (order_.size() > entries_max_) {
        const CallerRecord& oldest = *order_.back();
        records_.erase({oldest.clerk_id, oldest.session_id});
        order_.pop_back();
        ++evicted_;
    }
    return record;
}

}  // namespace rollcall::gate
