// Deletions that wait for a person, over the admin API: GET /api/v1/deletions lists them, POST
// /api/v1/deletions/approve and …/discard decide on those of one user or of one source.
#pragma once

#include "base/actor.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "http/router.hpp"

#include <functional>
#include <optional>
#include <string>

namespace rollcall::admin {

// Which deletions, and what becomes of them. One of the first two is there.
struct DeletionOrder {
    std::optional<std::string> clerk_id{};
    std::optional<std::string> from{};  // pass, webhook, mirror: all of that
    bool approve = false;               // else they are discarded
    std::string note{};                 // for the audit log
    Actor by{};
};

// Whether it says which; invalid_input otherwise.
[[nodiscard]] Result<void> check(const DeletionOrder& order);

struct DeletionActions {
    // Both return JSON.
    std::function<Task<std::string>()> list;
    std::function<Task<Result<std::string>>(DeletionOrder)> decide;
};

void add_deletion_routes(http::Router& router, const Secret& token, DeletionActions actions);

}  // namespace rollcall::admin
