// The mirrored rows: the one way to the users table. Holds the statements, which are made once at
// start from the configured names and the table as it is, every identifier quoted. Each apply is
// one transaction over the ledger, the users table and, for events, the jobs that carry them.
// A database that is away throws Unavailable. Use one per event loop.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "directory/change.hpp"
#include "directory/column_map.hpp"
#include "pg/pool.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::directory {

struct DirectoryConfig {
    ColumnMap columns;
    int batch = 256;      // jobs of one transaction at most: sync::ApplyConfig::batch
    bool can_ask = true;  // whether Clerk can be asked (a secret key is set): who settles a tie
};

class Directory {
public:
    // Looks at the table and makes the statements. `bad_configuration` when the table is absent or
    // cannot be used: the message says what to do.
    static Task<Result<std::unique_ptr<Directory>>> open(pg::Pool& pool, DirectoryConfig config);
    ~Directory();
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    // The statements, by name, for `config print` and for the test that prepares each.
    struct Text {
        std::string name;
        std::string text;
    };
    [[nodiscard]] const std::vector<Text>& statements() const;

private:
    struct State;
    explicit Directory(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace rollcall::directory
