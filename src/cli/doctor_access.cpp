#include "cli/doctor.hpp"
#include "cli/sql.hpp"

#include <fmt/format.h>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::cli {
namespace {

constexpr std::size_t names_shown = 8;

std::string listed(const std::vector<std::string>& names) {
    std::string out;
    for (std::size_t i = 0; i < names.size() && i < names_shown; ++i) {
        out += (out.empty() ? "" : ", ") + names[i];
    }
    if (names.size() > names_shown) out += fmt::format(", and {} more", names.size() - names_shown);
    return out;
}

Task<> check_policies(pg::Pool& pool, const Config& config, Findings& findings) {
    const auto table = directory::parse_table_name(config.users.table);
    const pg::Rows deaf = co_await pool.execute(
        sql::deaf_policies,
        pg::Params().text(table->schema).text(table->table).text(config.users.clerk_id));
    std::vector<std::string> names;
    names.reserve(static_cast<std::size_t>(deaf.size()));
    for (int row = 0; row < deaf.size(); ++row) {
        names.push_back(fmt::format("{} on {}", deaf.text(row, 0), deaf.text(row, 1)));
    }
    if (names.empty()) {
        findings.ok("policies", "none compares auth.uid() with Clerk ids");
        co_return;
    }
    findings.fail("policies",
                  "auth.uid() never equals a Clerk id, it raises an error: " + listed(names),
                  "compare (SELECT rollcall.user_id()) with the internal id, or (SELECT "
                  "rollcall.clerk_id()) with the Clerk id; those of the users table: rollcall "
                  "migrate --with-rls");
}

Task<> check_open_relations(pg::Pool& pool, Findings& findings) {
    const pg::Rows open = co_await pool.execute(sql::open_relations);
    std::vector<std::string> unguarded;
    std::vector<std::string> unfiltered;
    std::vector<std::string> written;
    for (int row = 0; row < open.size(); ++row) {
        const std::string_view why = open.text(row, 1);
        auto& names = why == "unguarded" ? unguarded : why == "written" ? written : unfiltered;
        names.emplace_back(open.text(row, 0));
    }
    if (!unguarded.empty()) {
        findings.fail("public_tables",
                      "open to anon, without row level security: " + listed(unguarded),
                      "ENABLE ROW LEVEL SECURITY, with a policy FOR SELECT TO anon USING (true) "
                      "where everybody may read; or REVOKE ALL ON … FROM PUBLIC, anon");
    }
    if (!written.empty()) {
        findings.warn("public_tables", "a policy lets anon write every row: " + listed(written),
                      "say in the policy whose rows they are, or TO authenticated");
    }
    if (!unfiltered.empty()) {
        findings.warn("public_tables",
                      "open to anon, and filtered by no policy: " + listed(unfiltered),
                      "a view WITH (security_invoker = true) keeps to the policies of its tables; "
                      "or REVOKE ALL ON … FROM PUBLIC, anon");
    }
    if (open.empty()) findings.ok("public_tables", "none is open to anon without a policy");
}

Task<> check_open_definers(pg::Pool& pool, Findings& findings) {
    const pg::Rows open = co_await pool.execute(sql::open_definers);
    const std::vector<std::string> names = open.texts(0);
    if (names.empty()) {
        findings.ok("public_functions", "none does for anon what only its owner may");
        co_return;
    }
    findings.warn("public_functions",
                  "anon may call what runs with its owner's rights: " + listed(names),
                  "REVOKE EXECUTE ON FUNCTION … FROM PUBLIC, anon, unless everybody may; SECURITY "
                  "INVOKER where its owner's rights are not needed");
}

}  // namespace

Task<> check_row_access(pg::Pool& pool, const Config& config, Findings& findings) {
    const pg::Rows callers = co_await pool.execute(sql::caller_functions_open);
    if (!callers.boolean(0, 0)) {
        findings.fail("callers", "authenticated may not call rollcall.user_id()",
                      "the policies of the users table need it; run: rollcall migrate");
    } else {
        findings.ok("callers", "rollcall.user_id() knows who asks");
    }
    co_await check_policies(pool, config, findings);
    co_await check_open_relations(pool, findings);
    co_await check_open_definers(pool, findings);
}

}  // namespace rollcall::cli
