// The rows behind an e-mail conflict: looks at them and changes them, as email_conflict.hpp
// decides. Use within Directory::begin's transaction, `lock` first: what was looked at then stands
// until the commit, unless the application itself writes there.
#pragma once

#include "base/task.hpp"
#include "directory/apply_sql.hpp"
#include "directory/email_conflict.hpp"
#include "directory/outbox.hpp"
#include "pg/pool.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace rollcall::directory {

template <class T>
using Answer = std::expected<T, pg::SqlError>;

class EmailRows {
public:
    // Both must outlive this.
    EmailRows(const ApplySql& texts, const Outbox& outbox, bool folds_case);
    EmailRows(const EmailRows&) = delete;
    EmailRows& operator=(const EmailRows&) = delete;

    Task<> lock(pg::Transaction& tx, const std::string& claimant, const std::string& holder);
    Task<EmailSituation> look(pg::Transaction& tx, const EmailClaim& claim);
    // These two may be refused by what the application demands of its rows.
    Task<Answer<void>> release(pg::Transaction& tx, const EmailHolder& holder);
    // False when the row has a Clerk id by now.
    Task<Answer<bool>> adopt(pg::Transaction& tx, const EmailHolder& holder,
                             std::string_view clerk_id);
    // Enqueues a REFRESH_USER job for the user, unless the same is waiting.
    Task<> ask_again(pg::Transaction& tx, std::string_view clerk_id);
    // Gives the user's future row a new id where another user's row has the ledger's.
    Task<> renew_id(pg::Transaction& tx, std::string_view clerk_id);

    // Whether two addresses are one, as the table's unique index has it.
    [[nodiscard]] bool same(std::string_view one, std::string_view other) const;

private:
    const ApplySql& texts_;
    const Outbox& outbox_;
    bool folds_case_;
};

}  // namespace rollcall::directory
