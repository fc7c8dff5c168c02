// The users that a complete pass did not see: kept while it runs (in a table, there may be many),
// and judged when it is known that Clerk's list was whole. Each is looked up again by its id; then
// it is deleted, or, when there are more than the guard allows, held back for a person.
#pragma once

#include "base/task.hpp"
#include "sync/deletion_guard.hpp"
#include "sync/pass.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::sync {

class Departures {
public:
    // `pass` must outlive this.
    Departures(Pass& pass, DeletionGuard guard);

    // These were not seen where they should have been.
    Task<> add(std::vector<std::string> clerk_ids);
    // Adds whom no page could have named: living users and rows without a place in the list.
    Task<> add_unplaced();
    // Looks them up and concludes. The list was whole.
    Task<> conclude();

private:
    Task<std::vector<std::string>> some(std::string_view after);
    Task<> drop(const std::vector<std::string>& clerk_ids);
    Task<std::int64_t> left();
    Task<> look_again();
    Task<bool> look_up(const std::vector<std::string>& clerk_ids);
    Task<> delete_all();
    Task<std::vector<std::string>> delete_gone(std::vector<std::string> clerk_ids);
    Task<> hold(std::int64_t users);

    Pass& pass_;
    DeletionGuard guard_;
    std::set<std::string, std::less<>> kept_;  // of a dry run, which writes nothing
};

}  // namespace rollcall::sync
