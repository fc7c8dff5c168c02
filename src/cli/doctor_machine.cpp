#include "cli/doctor.hpp"
#include "cli/secret_files.hpp"
#include "http/client.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>

namespace rollcall::cli {
namespace {

// For logs, libpq's own files, upstreams.
constexpr std::uint64_t other_files = 64;

void check_files(const Settings& settings, Findings& findings) {
    const auto files = secret_files(settings);
    std::string open;
    for (const SecretFile& file : files) {
        if (!file.open) continue;
        open += fmt::format("{}{} ({})", open.empty() ? "" : ", ", file.path, file.key);
    }
    if (!open.empty()) {
        findings.warn("files", "everybody on this machine may read " + open,
                      "chmod o-r; systemd's credentials and Kubernetes' secrets are closed by "
                      "themselves");
    } else if (!files.empty()) {
        findings.ok("files", "what secrets are read from is closed to others");
    }
}

void check_limits(const Config& config, Findings& findings) {
    rlimit open_files{};
    if (getrlimit(RLIMIT_NOFILE, &open_files) != 0) return;
    const std::uint64_t wanted = static_cast<std::uint64_t>(config.connections_max) +
                                 config.public_listener.connections_max +
                                 config.admin_listener.connections_max + other_files;
    if (open_files.rlim_cur < wanted) {
        findings.warn("limits",
                      fmt::format("this process may have {} files open; {} connections may come",
                                  open_files.rlim_cur, wanted),
                      "raise LimitNOFILE= of the unit, or ulimit -n, where the service is started");
    } else {
        findings.ok("limits", fmt::format("{} files may be open, {} are enough",
                                          open_files.rlim_cur, wanted));
    }
}

// Users of production must not go to a developer's Supabase.
void check_secrets(const Config& config, Findings& findings) {
    const bool live = config.clerk.secret_key.reveal().starts_with("sk_live_");
    if (config.mirrors() && live && http::is_loopback_url(config.supabase.url)) {
        findings.warn("secrets", "a live key of Clerk's beside a Supabase on this machine",
                      "are both of the same environment? Real users are copied there");
    }
}

}  // namespace

void check_machine(const Settings& settings, const Config& config, Findings& findings) {
    check_files(settings, findings);
    check_limits(config, findings);
    check_secrets(config, findings);
}

}  // namespace rollcall::cli
