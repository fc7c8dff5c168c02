#include "cli/doctor.hpp"
#include "cli/sql.hpp"

#include <fmt/format.h>

namespace rollcall::cli {

Task<> check_database_role(pg::Pool& pool, Findings& findings) {
    const pg::Rows facts = co_await pool.execute(sql::role_facts);
    const auto fact = [&](std::string_view name) { return facts.text(0, facts.column(name)); };
    if (!fact("refused").empty()) {
        findings.fail("database_role",
                      fmt::format("{} may not read and write {}", fact("role"), fact("refused")),
                      "run rollcall as the role that ran migrate, or GRANT it the privileges");
    } else if (!fact("hidden").empty()) {
        findings.fail(
            "database_role",
            fmt::format("row level security hides {} from {}", fact("hidden"), fact("role")),
            "run rollcall as the role that ran migrate, or give this one BYPASSRLS");
    } else if (fact("isolation") != "read committed") {
        findings.warn("database_role",
                      fmt::format("its transactions are {} by default", fact("isolation")),
                      "rollcall is made for read committed: more of its transactions will be "
                      "repeated. ALTER ROLE … SET default_transaction_isolation");
    } else {
        const bool owner = facts.boolean(0, facts.column("owns_all"));
        findings.ok("database_role", fmt::format("{} {}", fact("role"),
                                                 owner ? "owns what is there of rollcall's tables"
                                                       : "may use rollcall's tables, not migrate"));
    }
}

Task<> check_replication(pg::Pool& pool, Findings& findings) {
    const pg::Rows rows = co_await pool.execute(sql::standbys);
    const std::string_view wanted = rows.text(0, 0);
    const std::int64_t connected = rows.bigint(0, 1);
    if (!wanted.empty() && connected == 0) {
        findings.warn("replication",
                      "synchronous_standby_names is set, but no standby is connected",
                      "every commit waits for one, a webhook's too: bring it back, or reset the "
                      "setting");
    } else if (!wanted.empty()) {
        findings.ok("replication",
                    fmt::format("commits wait for a standby; {} connected", connected));
    } else {
        findings.ok("replication", "commits wait for no standby");
    }
}

}  // namespace rollcall::cli
