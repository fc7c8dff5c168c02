#include "mirror/metrics.hpp"

#include <string>

namespace rollcall::mirror {

Metrics::Metrics(MetricsRegistry& registry)
    : pending_(registry
                   .gauge("rollcall_mirror_pending_users",
                          "Users whose copy in Supabase Auth is not yet as their row")
                   .Add({})),
      skipped_(registry
                   .gauge("rollcall_mirror_skipped_users",
                          "Users without e-mail and phone, whom Supabase Auth cannot have")
                   .Add({})),
      held_(registry
                .gauge("rollcall_mirror_held_users",
                       "Copies of deleted users, too many to be removed without a person")
                .Add({})),
      compared_(registry
                    .gauge("rollcall_mirror_compared_timestamp_seconds",
                           "When the last whole comparison with Supabase Auth began")
                    .Add({})) {
    auto& drift =
        registry.gauge("rollcall_mirror_drift_users",
                       "Copies that the last comparison found wrong, before their repair");
    constexpr std::array<const char*, 3> kinds{"missing", "different", "extra"};
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        drift_.at(i) = &drift.Add({{"kind", kinds.at(i)}});
    }
    auto& users =
        registry.counter("rollcall_mirror_users_total", "Copies looked at, by what was done");
    for (std::size_t i = 0; i < users_.size(); ++i) {
        users_.at(i) =
            &users.Add({{"action", std::string(to_string(static_cast<MirrorAction>(i)))}});
    }
}

void Metrics::done(MirrorAction action) {
    users_.at(static_cast<std::size_t>(action))->Increment();
}

void Metrics::known(const Copies::Counts& counts) {
    pending_.Set(static_cast<double>(counts.pending));
    skipped_.Set(static_cast<double>(counts.skipped));
}

void Metrics::compared(const Compared& last) {
    const std::array<std::int64_t, 3> drift{last.drift.missing, last.drift.different,
                                            last.drift.extra};
    for (std::size_t i = 0; i < drift.size(); ++i) {
        drift_.at(i)->Set(static_cast<double>(drift.at(i)));
    }
    held_.Set(static_cast<double>(last.held));
    if (!last.at) return;
    const std::chrono::duration<double> at = last.at->time_since_epoch();
    compared_.Set(at.count());
}

}  // namespace rollcall::mirror
