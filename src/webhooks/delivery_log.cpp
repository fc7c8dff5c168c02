#include "webhooks/delivery_log.hpp"

#include "base/result.hpp"
#include "webhooks/sql.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace rollcall::webhooks {
namespace {

constexpr std::size_t type_bytes_max = 64;
constexpr std::size_t svix_id_bytes_max = 256;
constexpr std::string_view other_type = "other";

std::int64_t minute_of(SystemTime now) {
    return std::chrono::floor<std::chrono::minutes>(now).time_since_epoch().count();
}

// What strangers send is only kept when it is short and plain.
std::string plain(std::string_view text, std::size_t bytes_max, std::string_view otherwise) {
    const bool is_plain = text.size() <= bytes_max &&
                          std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
    return std::string(is_plain ? text : otherwise);
}

std::optional<std::string_view> present(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
}

// Signed, but not with a secret of ours, or not lately: a request without a signature is a
// scanner's.
bool fails_signature(std::string_view reason) {
    return reason == "no_matching_signature" || reason == "stale_timestamp" ||
           reason == "future_timestamp";
}

void add_networks(pg::Params& params, const FailingNetworks& networks) {
    std::vector<std::optional<SystemTime>> minutes;
    std::vector<std::optional<std::string_view>> names;
    std::vector<std::optional<std::int64_t>> failures;
    for (const auto& [minute, counts] : networks.minutes()) {
        for (const auto& [network, count] : counts) {
            minutes.emplace_back(SystemTime(std::chrono::minutes(minute)));
            names.emplace_back(network);
            failures.emplace_back(count);
        }
    }
    params.timestamptz_array(minutes).text_array(names).bigint_array(failures);
}

// The columns of the rows, as the statement takes them.
struct Columns {
    std::vector<std::optional<SystemTime>> minute, first, last;
    std::vector<std::optional<std::string_view>> outcome, reason, type, svix_id, network;
    std::vector<std::optional<std::int64_t>> count;

    [[nodiscard]] pg::Params params() const {
        pg::Params params;
        params.timestamptz_array(minute).text_array(outcome).text_array(reason).text_array(type);
        params.bigint_array(count).timestamptz_array(first).timestamptz_array(last);
        params.text_array(svix_id).text_array(network);
        return params;
    }
};

}  // namespace

DeliveryLog::DeliveryLog(pg::Pool& pool, const Clock& clock, const WebhookConfig& config)
    : pool_(pool), clock_(clock), rows_max_(config.record_rows_per_minute_max) {}

void DeliveryLog::note(const DeliveryNote& note) {
    const SystemTime now = clock_.now();
    Row row{.count = 1, .first = now, .last = now, .svix_id = {}, .network = {}};
    row.svix_id = plain(note.svix_id, svix_id_bytes_max, "");
    if (note.outcome == "refused") row.network = network_of(note.client_address);
    if (fails_signature(note.reason)) networks_.note(minute_of(now), row.network);
    add(rows_, key_of(note, now), row);
}

// Event types come from a signed event, yet nothing but the sender's good sense bounds their
// number.
DeliveryLog::Key DeliveryLog::key_of(const DeliveryNote& note, SystemTime now) const {
    const std::int64_t minute = minute_of(now);
    Key key{minute, note.outcome, note.reason, plain(note.event_type, type_bytes_max, other_type)};
    const auto begin = rows_.lower_bound(Key{minute, "", "", ""});
    const bool full = static_cast<std::size_t>(std::distance(begin, rows_.end())) >= rows_max_;
    if (full && !rows_.contains(key)) std::get<3>(key) = other_type;
    return key;
}

void DeliveryLog::add(Table& table, const Key& key, const Row& row) {
    const auto [at, fresh] = table.try_emplace(key, row);
    if (fresh) return;
    Row& known = at->second;
    known.count += row.count;
    known.first = std::min(known.first, row.first);
    known.last = std::max(known.last, row.last);
    if (!row.svix_id.empty()) known.svix_id = row.svix_id;
    if (!row.network.empty()) known.network = row.network;
}

Task<> DeliveryLog::flush() {
    ensure(!flushing_, "one flush of the delivery log at a time");
    // Left over from a flush that failed; bounded, since an outage may be long.
    constexpr std::size_t kept_minutes_max = 60;
    for (const auto& [key, row] : rows_) add(writing_, key, row);
    rows_.clear();
    for (const auto& [minute, counts] : networks_.minutes()) {
        for (const auto& [network, count] : counts) writing_networks_.note(minute, network, count);
    }
    networks_.clear();
    while (writing_.size() > rows_max_ * kept_minutes_max) writing_.erase(writing_.begin());
    if (writing_.empty()) co_return;

    Columns columns;
    for (const auto& [key, row] : writing_) {
        const auto& [minute, outcome, reason, type] = key;
        columns.minute.emplace_back(SystemTime(std::chrono::minutes(minute)));
        columns.outcome.emplace_back(outcome);
        columns.reason.emplace_back(reason);
        columns.type.emplace_back(type);
        columns.count.emplace_back(row.count);
        columns.first.emplace_back(row.first);
        columns.last.emplace_back(row.last);
        columns.svix_id.push_back(present(row.svix_id));
        columns.network.push_back(present(row.network));
    }
    struct Flag {
        explicit Flag(bool& given) : flag(given) { flag = true; }
        ~Flag() { flag = false; }
        Flag(const Flag&) = delete;
        Flag& operator=(const Flag&) = delete;
        bool& flag;
    };
    const Flag flag(flushing_);
    pg::Params params = columns.params();
    add_networks(params, writing_networks_);
    co_await pool_.execute(sql::record_deliveries, params);
    writing_.clear();
    writing_networks_.clear();
}

std::string network_of(std::string_view address) {
    boost::system::error_code error;
    const auto parsed = asio::ip::make_address(address, error);
    if (error) return "";
    if (parsed.is_v6() && !parsed.to_v6().is_v4_mapped()) {
        auto bytes = parsed.to_v6().to_bytes();
        std::fill(bytes.begin() + 6, bytes.end(), std::uint8_t{0});
        return asio::ip::address_v6(bytes).to_string() + "/48";
    }
    const auto v4 = parsed.is_v4() ? parsed.to_v4()
                                   : asio::ip::make_address_v4(asio::ip::v4_mapped, parsed.to_v6());
    auto bytes = v4.to_bytes();
    bytes[3] = 0;
    return asio::ip::address_v4(bytes).to_string() + "/24";
}

Task<std::int64_t> prune_deliveries(pg::Pool& pool, std::chrono::hours retention, int limit) {
    pg::Params params;
    params.bigint(std::chrono::duration_cast<std::chrono::seconds>(retention).count());
    params.bigint(limit);
    const pg::Rows rows = co_await pool.execute(sql::prune_deliveries, params);
    co_return rows.affected();
}

}  // namespace rollcall::webhooks
