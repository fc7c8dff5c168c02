#include "directory/email_rows.hpp"

#include "base/ascii.hpp"
#include "directory/sql.hpp"

#include <array>
#include <utility>

namespace rollcall::directory {
EmailRows::EmailRows(const ApplySql& texts, const Outbox& outbox, bool folds_case)
    : texts_(texts), outbox_(outbox), folds_case_(folds_case) {}

Task<> EmailRows::lock(pg::Transaction& tx, const std::string& claimant,
                       const std::string& holder) {
    const std::array<std::optional<std::string_view>, 2> ids{claimant, holder};
    co_await tx.execute(sql::lock_users, pg::Params().text_array(ids));
}

Task<EmailSituation> EmailRows::look(pg::Transaction& tx, const EmailClaim& claim) {
    const pg::Rows rows = co_await tx.execute({"directory_situation", texts_.situation},
                                              pg::Params().text(claim.clerk_id).text(claim.email));
    ensure(rows.size() == 1, "situation: one row");
    EmailSituation out;
    if (!rows.is_null(0, 0)) out.version = rows.bigint(0, 0);
    out.settled = !rows.is_null(0, 1) && rows.boolean(0, 1);
    out.deleted = rows.boolean(0, 2);
    out.own_row = rows.text(0, 3);
    if (!rows.is_null(0, 4)) {
        out.holder = EmailHolder{.row = std::string(rows.text(0, 4)),
                                 .clerk_id = std::string(rows.text(0, 5)),
                                 .deleted = rows.boolean(0, 6)};
    }
    co_return out;
}

Task<Answer<void>> EmailRows::release(pg::Transaction& tx, const EmailHolder& holder) {
    ensure(!texts_.release_email.empty(), "an e-mail released that is not mirrored");
    pg::Params params;
    params.text(holder.row);
    if (holder.clerk_id.empty()) {
        params.null();
    } else {
        params.text(holder.clerk_id);
    }
    const auto done =
        co_await tx.try_execute({"directory_release_email", texts_.release_email}, params);
    if (!done) co_return std::unexpected(done.error());
    if (!holder.clerk_id.empty()) co_await outbox_.arm(tx, holder.clerk_id);
    co_return Answer<void>();
}

Task<Answer<bool>> EmailRows::adopt(pg::Transaction& tx, const EmailHolder& holder,
                                    std::string_view clerk_id) {
    const auto done = co_await tx.try_execute({"directory_adopt_row", texts_.adopt_row},
                                              pg::Params().text(holder.row).text(clerk_id));
    if (!done) co_return std::unexpected(done.error());
    if (done->affected() == 1) co_await outbox_.arm(tx, clerk_id);
    co_return done->affected() == 1;
}

Task<> EmailRows::ask_again(pg::Transaction& tx, std::string_view clerk_id) {
    co_await tx.execute({"directory_ask_again", texts_.ask_again}, pg::Params().text(clerk_id));
}

Task<> EmailRows::renew_id(pg::Transaction& tx, std::string_view clerk_id) {
    co_await tx.execute({"directory_renew_user_id", texts_.renew_user_id},
                        pg::Params().text(clerk_id));
}

bool EmailRows::same(std::string_view one, std::string_view other) const {
    return folds_case_ ? same_but_for_case(one, other) : one == other;
}

}  // namespace rollcall::directory
