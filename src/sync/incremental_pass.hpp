// An incremental pass: users in the order of their last change, back to where the last pass had
// been. Pages overlap, because rows move while they are read. Never concludes that a user is gone.
#pragma once

#include "base/task.hpp"
#include "sync/pass.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rollcall::sync {

struct IncrementalPassConfig {
    std::size_t page_users = clerk::page_users_max;
    std::chrono::milliseconds overlap{std::chrono::minutes(5)};
};

class IncrementalPass {
public:
    IncrementalPass(Pass& pass, IncrementalPassConfig config);

    // The watermark that this pass has reached, to be kept if it did not fail.
    Task<std::int64_t> run(std::int64_t watermark_ms);

private:
    Task<std::optional<Page>> next(std::size_t& offset);
    Task<> work_off(const Page& page);

    Pass& pass_;
    IncrementalPassConfig config_;
    std::vector<std::string> last_page_;
};

}  // namespace rollcall::sync
