#include "sync/deletion_guard.hpp"

namespace rollcall::sync {

bool DeletionGuard::holds(std::int64_t absent, std::int64_t active) const {
    return absent > users && static_cast<double>(absent) > ratio * static_cast<double>(active);
}

}  // namespace rollcall::sync
