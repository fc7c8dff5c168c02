#include "base/metrics.hpp"

#include "base/log.hpp"
#include "base/result.hpp"

#include <fmt/format.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

namespace rollcall {
namespace {

void append(std::string& out, std::string_view name, std::string_view type, std::string_view help,
            double value) {
    fmt::format_to(std::back_inserter(out), "# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help,
                   type, value);
}

// Field `number` of proc(5)'s stat, counted from 1; those after the name, which may hold anything.
std::optional<double> stat_field(const std::string& stat, int number) {
    const auto name_end = stat.rfind(')');
    if (name_end == std::string::npos) return std::nullopt;
    std::istringstream rest(stat.substr(name_end + 1));
    std::string word;
    for (int i = 3; i <= number; ++i) {
        if (!(rest >> word)) return std::nullopt;
    }
    return std::strtod(word.c_str(), nullptr);
}

// From the clocks: /proc/stat is not there for a service that sees only processes (ProcSubset=pid).
double boot_time() {
    timespec now{};
    timespec since_boot{};
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    return static_cast<double>(now.tv_sec - since_boot.tv_sec) +
           static_cast<double>(now.tv_nsec - since_boot.tv_nsec) / 1e9;
}

std::optional<double> open_descriptors() {
    std::error_code error;
    double count = 0;
    for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
         it.increment(error)) {
        ++count;
    }
    if (error) return std::nullopt;
    return count - 1;  // less the one that reads
}

void append_process(std::string& out) {
    std::ifstream file("/proc/self/stat");
    std::string stat;
    std::getline(file, stat);
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    const auto user = stat_field(stat, 14);
    const auto system = stat_field(stat, 15);
    if (user && system) {
        append(out, "process_cpu_seconds_total", "counter",
               "User and system CPU time spent in seconds.", (*user + *system) / ticks);
    }
    static const double booted = boot_time();  // once: the start must not move with the clock
    if (const auto started = stat_field(stat, 22)) {
        append(out, "process_start_time_seconds", "gauge",
               "Start time of the process since 1970 in seconds.", booted + *started / ticks);
    }
    if (const auto size = stat_field(stat, 23)) {
        append(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
               *size);
    }
    if (const auto pages = stat_field(stat, 24)) {
        append(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
               *pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
    }
    if (const auto count = open_descriptors()) {
        append(out, "process_open_fds", "gauge", "Number of open file descriptors.", *count);
    }
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        append(out, "process_max_fds", "gauge", "Maximum number of open file descriptors.",
               static_cast<double>(limit.rlim_cur));
    }
}

void append_log_messages(std::string& out) {
    out +=
        "# HELP rollcall_log_messages_total Messages logged.\n"
        "# TYPE rollcall_log_messages_total counter\n";
    for (const auto level :
         {log::Level::debug, log::Level::info, log::Level::warn, log::Level::error}) {
        fmt::format_to(std::back_inserter(out), "rollcall_log_messages_total{{level=\"{}\"}} {}\n",
                       log::to_string(level), log::messages_total(level));
    }
}

}  // namespace

MetricsRegistry::MetricsRegistry() : registry_(prometheus::Registry::InsertBehavior::Merge) {}

void MetricsRegistry::note(const std::string& name, const std::string& help, char type) {
    const std::string value = type + help;
    const auto [at, fresh] = registered_.try_emplace(name, value);
    ensure(fresh || at->second == value, "metric registered twice with another type or help");
}

prometheus::Family<prometheus::Counter>& MetricsRegistry::counter(const std::string& name,
                                                                  const std::string& help) {
    note(name, help, 'c');
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
}

prometheus::Family<prometheus::Gauge>& MetricsRegistry::gauge(const std::string& name,
                                                              const std::string& help) {
    note(name, help, 'g');
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
}

prometheus::Family<prometheus::Histogram>& MetricsRegistry::histogram(const std::string& name,
                                                                      const std::string& help) {
    note(name, help, 'h');
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
}

void MetricsRegistry::before_render(std::function<void()> refresh) {
    refreshes_.push_back(std::move(refresh));
}

std::string MetricsRegistry::render() const {
    for (const auto& refresh : refreshes_) refresh();
    std::string text = prometheus::TextSerializer().Serialize(registry_.Collect());
    append_log_messages(text);
    append_process(text);
    return text;
}

std::vector<double> duration_buckets() {
    return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};
}

std::vector<double> wait_buckets() {
    return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
            1,     2.5,    5,     10,   30,    60,   300, 900,  3600};
}

}  // namespace rollcall
