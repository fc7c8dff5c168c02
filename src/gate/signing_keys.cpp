#include "gate/signing_keys.hpp"

#include "base/json.hpp"
#include "base/log.hpp"
#include "gate/sql.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace rollcall::gate {
namespace {

constexpr std::array<std::string_view, 3> state_names{"next", "active", "retiring"};

KeyState state_of(std::string_view name) {
    const auto* const found = std::ranges::find(state_names, name);
    ensure(found != state_names.end(), "signing_keys.sql has these states only");
    return static_cast<KeyState>(found - state_names.begin());
}

std::string_view to_string(KeyState state) {
    return state_names.at(static_cast<std::size_t>(state));
}

}  // namespace

SigningKeys::SigningKeys(Executor executor, pg::Pool& pool, SigningKeysConfig config,
                         MetricsRegistry& registry)
    : pool_(pool),
      config_(config),
      loop_(executor,
            {.name = "signing_keys", .poll_interval = [this] { return config_.interval; }},
            [this]() -> Task<int> {
                co_await refresh();
                co_return 0;
            }) {
    auto& keys = registry.gauge("rollcall_gate_signing_keys",
                                "Keys of rollcall's own tokens that are published, by state.");
    for (std::size_t i = 0; i < figures_.size(); ++i) {
        figures_.at(i) = &keys.Add({{"state", std::string(state_names.at(i))}});
    }
}

void SigningKeys::start() {
    loop_.start();
}

Task<bool> SigningKeys::stop(Duration limit) {
    co_return co_await loop_.stop(limit);
}

Task<> SigningKeys::refresh() {
    co_await pool_.execute(sql::signing_keys_remove,
                           pg::Params().bigint(config_.published_after.count()));
    if (!co_await read()) co_return;
    const auto key = crypto::SigningKey::make();
    const Secret pem = key.to_pem();
    const pg::Rows added =
        co_await pool_.execute(sql::signing_key_add, pg::Params()
                                                         .text(key.kid())
                                                         .text(pem.reveal())
                                                         .bigint(config_.lifetime.count())
                                                         .bigint(config_.published_ahead.count()));
    if (added.affected() > 0) log::info("signing_key_made", {{"kid", key.kid()}});
    co_await read();
}

Task<bool> SigningKeys::read() {
    const pg::Rows rows =
        co_await pool_.execute(sql::signing_keys, pg::Params()
                                                      .bigint(config_.lifetime.count())
                                                      .bigint(config_.published_ahead.count())
                                                      .bigint(config_.published_after.count()));
    std::vector<Known> known;
    bool due = rows.empty();
    for (int row = 0; row < rows.size(); ++row) {
        due = due || rows.boolean(row, rows.column("due"));
        auto key = crypto::SigningKey::from_pem(
            Secret(std::string(rows.text(row, rows.column("private_key")))));
        if (!key || key->kid() != rows.text(row, rows.column("kid"))) {
            log::error("signing_key_unusable", {{"kid", rows.text(row, rows.column("kid"))}});
            continue;
        }
        known.push_back({*std::move(key), state_of(rows.text(row, rows.column("state")))});
    }
    publish(std::move(known));
    co_return due;
}

void SigningKeys::publish(std::vector<Known> known) {
    known_ = std::move(known);
    jwks_.clear();
    std::array<int, 3> count{};
    for (const Known& one : known_) {
        jwks_ += (jwks_.empty() ? R"({"keys":[)" : ",") + one.key.public_jwk();
        ++count.at(static_cast<std::size_t>(one.state));
    }
    if (!jwks_.empty()) jwks_ += "]}";
    for (std::size_t i = 0; i < count.size(); ++i) figures_.at(i)->Set(count.at(i));
    const auto* const signing = active();
    if (signing == nullptr || signing->kid() == reported_) return;
    reported_ = signing->kid();
    log::info("signing_key_active", {{"kid", reported_}});
}

const crypto::SigningKey* SigningKeys::active() const {
    const auto found = std::ranges::find(known_, KeyState::active, &Known::state);
    return found == known_.end() ? nullptr : &found->key;
}

std::string SigningKeys::status() const {
    std::string text = "[";
    for (const Known& one : known_) {
        if (text.size() > 1) text += ',';
        text += fmt::format(R"({{"kid":{},"state":"{}"}})", json_string(one.key.kid()),
                            to_string(one.state));
    }
    return text + "]";
}

}  // namespace rollcall::gate
