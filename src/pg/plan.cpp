#include "pg/plan.hpp"

#include "base/result.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace rollcall::pg {
namespace {

constexpr std::size_t plans_max = 4096;
// The server cuts names at 63 bytes without a word.
constexpr std::size_t name_max = 44;

// FNV-1a. The text and the types are part of the server's name, so that behind a pooler a name made
// by another release, on a connection that it left to us, is never taken for ours.
class Fingerprint {
public:
    void add(std::string_view bytes) {
        for (const char c : bytes) {
            value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
        }
    }
    [[nodiscard]] std::string hex() const { return fmt::format("{:016x}", value_); }

private:
    std::uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace

PlanCache::PlanCache(MetricsRegistry& metrics)
    : durations_(metrics.histogram(
          "rollcall_db_query_duration_seconds",
          "Time from sending a statement (or a pipeline, under its first) to its commit.")) {}

const Plan& PlanCache::find(const Statement& statement, const Params& params) {
    auto found = by_name_.find(statement.name);
    if (found == by_name_.end()) {
        found = by_name_.emplace(std::string(statement.name), std::vector<Plan*>()).first;
    }
    for (const Plan* plan : found->second) {
        const bool same_types = std::ranges::equal(
            plan->types, params.slots_, [](std::uint32_t type, const Params::Slot& slot) {
                return slot.null || slot.type == type;
            });
        if (same_types && plan->text == statement.text) return *plan;
    }
    return add(statement, params, found->second);
}

const Plan& PlanCache::add(const Statement& statement, const Params& params,
                           std::vector<Plan*>& same) {
    ensure(plans_.size() < plans_max, "too many different SQL statements: text made at run time?");
    Plan& plan = plans_.emplace_back();
    plan.id = plans_.size() - 1;
    plan.label = statement.name;
    plan.text = statement.text;
    Fingerprint fingerprint;
    fingerprint.add(plan.text);
    for (const Params::Slot& slot : params.slots_) {
        plan.types.push_back(slot.type);
        fingerprint.add(std::to_string(slot.type) + ",");
    }
    plan.server_name = plan.label.substr(0, name_max) + "_" + fingerprint.hex();
    plan.duration = &durations_.Add({{"statement", plan.label}}, duration_buckets());
    same.push_back(&plan);
    return plan;
}

}  // namespace rollcall::pg
