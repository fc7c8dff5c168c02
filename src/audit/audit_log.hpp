// rollcall.audit_log, read, added to and pruned: docs/audit.md lists the actions. What changes jobs
// or deletions writes its entries by itself, in its own transaction; `record` is for the rest.
#pragma once

#include "base/actor.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "pg/pool.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::audit {

// Never e-mail addresses, names or secrets.
struct Entry {
    std::string_view action;
    std::string_view target = "";  // "": rollcall as a whole
    std::string detail = "{}";     // a JSON object
};

// "" for NULL.
struct StoredEntry {
    std::int64_t id = 0;
    std::string at;  // RFC 3339
    std::string actor;
    std::string actor_name;
    std::string actor_ip;
    std::string database_user;
    std::string action;
    std::string target;
    std::string detail;  // JSON text
    std::string reason;
    std::string request_id;
};

struct EntryFilter {
    std::optional<std::string> action;
    std::optional<std::string> target;
    std::optional<std::chrono::milliseconds> since;  // not older than that
    std::optional<std::int64_t> before;              // `next` of the page before
    int limit = 50;                                  // at most 500
};

struct EntryPage {
    std::vector<StoredEntry> entries;  // newest first
    std::optional<std::int64_t> next;
};

Task<EntryPage> list(pg::Pool& pool, const EntryFilter& filter);

Task<> record(pg::Pool& pool, const Actor& actor, const Entry& entry);
Task<> record(pg::Transaction& tx, const Actor& actor, const Entry& entry);

// Removes the oldest entries that are older than `keep`, which is at least the 365 days before
// which the table lets none go; at most `limit`, and returns how many.
Task<int> prune(pg::Pool& pool, std::chrono::milliseconds keep, int limit);

}  // namespace rollcall::audit
