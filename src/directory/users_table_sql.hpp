// Which steps bring the users table to what rollcall needs. Pure: users_table.cpp reads the facts
// and runs the steps.
#pragma once

#include "base/result.hpp"
#include "directory/catalog.hpp"
#include "directory/column_map.hpp"
#include "directory/users_table.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace rollcall::directory {

// A policy that rollcall made: what it says it was made from, and what it is by now.
struct OwnPolicy {
    std::string made_from;  // its comment
    std::string command;    // as pg_policy.polcmd
    std::string qual;
    std::string check;
    bool for_authenticated = true;  // permissive, and for that role alone
};

// What is there when the plan is carried out.
struct UsersTableFacts {
    Catalog catalog;
    bool schema_exists = true;
    bool enum_exists = false;  // "UserRole" in the table's schema
    std::vector<std::string> enum_labels;
    bool roles_exist = true;  // authenticated and anon
    bool service_role_exists = true;
    bool made_by_rollcall = false;  // the table has rollcall's comment
    bool schema_open = true;        // authenticated and service_role may look into it
    bool names_taken = false;       // another table has the names of the constraints
    std::map<std::string, OwnPolicy, std::less<>> own_policies;  // by name
    // rollcall.user_id() and clerk_id(), by name: their bodies; "" when they are there with
    // attributes other than they should have.
    std::map<std::string, std::string, std::less<>> caller_functions;
    std::vector<std::string> open_policies;  // others' that open rows to users
    std::vector<std::string> lacking;        // what a person has to make first, in words
    std::int64_t duplicate_ids = 0;          // Clerk ids of more than one row
    std::int64_t stray_ids = 0;              // rows beyond the first that hold the text 'NULL'
};

[[nodiscard]] Result<UsersTablePlan> plan_of(const UsersTableFacts& facts, const ColumnMap& columns,
                                             UsersTableOptions options);

// One row: how many Clerk ids several rows share, and how many rows too many have the text 'NULL'.
[[nodiscard]] std::string duplicates_sql(const ColumnMap& columns);

}  // namespace rollcall::directory
