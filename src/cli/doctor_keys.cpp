#include "cli/doctor.hpp"
#include "cli/sql.hpp"
#include "crypto/signing_key.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <string>

namespace rollcall::cli {
namespace {

using std::chrono::days;
using std::chrono::seconds;

// The follower of a key is made before its time has come; a day is for a process that was away.
constexpr days overdue_after{1};

}  // namespace

Task<> check_signing_keys(pg::Pool& pool, const Settings& settings, Findings& findings) {
    const pg::Rows rows = co_await pool.execute(sql::signing_keys_facts);
    if (rows.empty()) {
        findings.ok("signing_keys", "none yet: the first process with the role gate makes one");
        co_return;
    }
    std::optional<seconds> newest;  // since it signs
    for (int row = 0; row < rows.size(); ++row) {
        const auto key = crypto::SigningKey::from_pem(Secret(std::string(rows.text(row, 1))));
        if (!key || key->kid() != rows.text(row, 0)) {
            findings.fail(
                "signing_keys",
                fmt::format("the row of the key {} holds another, or none", rows.text(row, 0)),
                "delete that row of rollcall.signing_keys; the service makes a new one");
            co_return;
        }
        newest = seconds(rows.bigint(row, 3));
    }
    if (*newest > settings.duration("gate.exchange_key_lifetime") + overdue_after) {
        findings.warn("signing_keys",
                      fmt::format("the newest signs for {} days, and nobody has made its follower",
                                  std::chrono::floor<days>(*newest).count()),
                      "run a process with the role gate, or look for work_loop_failing in its log; "
                      "docs/token-exchange.md");
        co_return;
    }
    findings.ok("signing_keys",
                fmt::format("{} published, the newest {}", rows.size(),
                            rows.boolean(rows.size() - 1, 2) ? "does not sign yet" : "signs"));
}

}  // namespace rollcall::cli
