#include "mirror/blame.hpp"

namespace rollcall::mirror {

void Blame::worked(const std::string& user) {
    failing_.erase(user);
    ++worked_;
}

bool Blame::failed(const std::string& user) {
    const auto known = failing_.find(user);
    if (known != failing_.end()) {
        const bool theirs = known->second != worked_;
        known->second = worked_;
        return theirs;
    }
    if (failing_.size() >= users_max_) failing_.erase(failing_.begin());
    failing_.emplace(user, worked_);
    return false;
}

}  // namespace rollcall::mirror
