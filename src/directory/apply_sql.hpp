// The statements over the users table, made from the templates of directory.sql. Pure.
#pragma once

#include "directory/column_map.hpp"
#include "directory/table_shape.hpp"

#include <string>

namespace rollcall::directory {

struct ApplyOptions {
    int batch = 256;
    bool can_ask = true;           // a tie is settled by asking Clerk; otherwise by arrival
    bool deletions_alone = false;  // a batch leaves deletions to apply_one
};

// Parameters: see directory.sql. Each is named like its template.
struct ApplySql {
    std::string apply_due;        // $1 priority, $2 created_at, $3 id: those after them
    std::string apply_scheduled;  // no parameters
    std::string apply_one;        // $1 job
    std::string due_ids;          // the jobs that apply_due would claim; same parameters
    std::string scheduled_ids;    // likewise
    std::string apply_reads;
    std::string add_newcomers;
    std::string settle;
    std::string mark_deleted;  // settle, of a deleted user's row only the mark: RowDeletion::mark
    std::string forget;        // settle without touching the users table: RowDeletion::none
    std::string situation;
    std::string release_email;
    std::string adopt_row;
    std::string renew_user_id;
    std::string ask_again;
    std::string compare;
    std::string balanced;
    std::string blank;
    std::string strangers;
    std::string mirrored_row;  // of outbox.sql, as the next three
    std::string arm_one;
    std::string arm_again;
    std::string arm_lost;         // arm_again, where a job of another's may have been overtaken
    std::string compared_rows;    // of copy_comparison.sql, as the next three: rows in order
    std::string compared_users;   // … and those of some users
    std::string compared_copies;  // copies in order
    std::string compared_some;    // … and some of them
    std::string standings;        // of standings.sql
    std::string bar_by_job;       // of curbs.sql, as the next three
    std::string bar_by_read;
    std::string assign_by_job;  // "" where no column has the role, as the next
    std::string assign_by_read;
};

[[nodiscard]] ApplySql make_apply_sql(const TableShape& shape, const ColumnMap& columns,
                                      const ApplyOptions& options);

}  // namespace rollcall::directory
