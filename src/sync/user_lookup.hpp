// What it takes to look one user up in Clerk and in the table: a way to Clerk of its own, so that
// the requests counted there are those for this user.
#pragma once

#include "clerk/backend_api.hpp"
#include "directory/directory.hpp"
#include "pg/pool.hpp"
#include "sync/deletion_guard.hpp"
#include "sync/pass.hpp"
#include "sync/refresh.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace rollcall::sync {

class UserLookup {
public:
    // The references must outlive this.
    UserLookup(pg::Pool& pool, directory::Directory& directory,
               std::unique_ptr<clerk::BackendApi> clerk, DeletionGuard guard)
        : pool_(pool),
          directory_(directory),
          clerk_(std::move(clerk)),
          refresh_(pool, directory, *clerk_, guard) {}
    UserLookup(const UserLookup&) = delete;
    UserLookup& operator=(const UserLookup&) = delete;

    [[nodiscard]] Refresh& refresh() { return refresh_; }
    [[nodiscard]] std::int64_t requests() const { return clerk_->requests(); }
    [[nodiscard]] Pass::Parts parts() {
        return {.pool = pool_, .directory = directory_, .clerk = *clerk_, .refresh = refresh_};
    }

private:
    pg::Pool& pool_;
    directory::Directory& directory_;
    std::unique_ptr<clerk::BackendApi> clerk_;
    Refresh refresh_;
};

using MakeLookup = std::function<std::unique_ptr<UserLookup>()>;

}  // namespace rollcall::sync
