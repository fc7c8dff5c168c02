#include "sim/clerk_query.hpp"

#include "base/ascii.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace rollcall::sim {

namespace {

constexpr std::size_t values_max = 100;
constexpr std::int64_t limit_max = 500;
constexpr std::int64_t limit_default = 10;

// A `%` that starts no escape stays as it is.
std::string decoded(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '+') {
            out += ' ';
        } else if (text[at] == '%' && at + 2 < text.size() && hex_value(text[at + 1]) >= 0 &&
                   hex_value(text[at + 2]) >= 0) {
            out += static_cast<char>(hex_value(text[at + 1]) * 16 + hex_value(text[at + 2]));
            at += 2;
        } else {
            out += text[at];
        }
    }
    return out;
}

std::optional<std::int64_t> whole_number(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

constexpr std::array<std::pair<std::string_view, UserOrder>, 10> orders{{
    {"created_at", UserOrder::created_at},
    {"updated_at", UserOrder::updated_at},
    {"email_address", UserOrder::email_address},
    {"web3wallet", UserOrder::web3wallet},
    {"first_name", UserOrder::first_name},
    {"last_name", UserOrder::last_name},
    {"phone_number", UserOrder::phone_number},
    {"username", UserOrder::username},
    {"last_active_at", UserOrder::last_active_at},
    {"last_sign_in_at", UserOrder::last_sign_in_at},
}};

// Reads parameters and keeps the first complaint.
class Reader {
public:
    explicit Reader(const QueryPairs& pairs) : pairs_(pairs) {}

    std::vector<std::string> values(std::string_view name) {
        auto all = pairs_.all(name);
        if (all.size() > values_max) complain(name, "accepts up to 100 values");
        return all;
    }

    SignedValues signed_values(std::string_view name) {
        SignedValues split;
        for (const auto& value : values(name)) {
            // A literal + that was not escaped arrives as a space.
            const char first = value.empty() ? '\0' : value.front();
            const bool has_sign = first == '+' || first == '-' || first == ' ';
            (first == '-' ? split.excluded : split.included)
                .push_back(has_sign ? value.substr(1) : value);
        }
        return split;
    }

    std::optional<std::int64_t> number(std::string_view name, std::int64_t low) {
        if (!pairs_.has(name)) return std::nullopt;
        const auto value = whole_number(pairs_.get(name));
        if (!value || *value < low) {
            complain(name, "must be an integer, at least " + std::to_string(low));
        }
        return value;
    }

    std::optional<bool> flag(std::string_view name) {
        if (!pairs_.has(name)) return std::nullopt;
        const auto value = pairs_.get(name);
        if (value != "true" && value != "false") complain(name, "must be true or false");
        return value == "true";
    }

    TimeRange range(const std::string& name) {
        return {.after = number(name + "_after", 0), .before = number(name + "_before", 0)};
    }

    void complain(std::string_view name, std::string_view why) {
        if (error_) return;
        error_ = errors::format_invalid(name, std::string(name) + " " + std::string(why));
    }

    [[nodiscard]] const std::optional<ClerkError>& error() const { return error_; }

private:
    const QueryPairs& pairs_;
    std::optional<ClerkError> error_;
};

UserFilter read_filter(const QueryPairs& pairs, Reader& reader) {
    UserFilter filter;
    filter.user_id = reader.signed_values("user_id");
    filter.external_id = reader.signed_values("external_id");
    filter.organization_id = reader.signed_values("organization_id");
    filter.email_address = reader.values("email_address");
    filter.phone_number = reader.values("phone_number");
    filter.username = reader.values("username");
    filter.web3_wallet = reader.values("web3_wallet");
    filter.provider = pairs.get("provider");
    filter.provider_user_id = reader.values("provider_user_id");
    if (filter.provider.empty() != filter.provider_user_id.empty()) {
        reader.complain("provider", "must be used in combination with provider_user_id");
    }
    filter.query = pairs.get("query");
    filter.email_address_query = pairs.get("email_address_query");
    filter.phone_number_query = pairs.get("phone_number_query");
    filter.username_query = pairs.get("username_query");
    filter.name_query = pairs.get("name_query");
    filter.banned = reader.flag("banned");
    filter.created_at = reader.range("created_at");
    filter.last_active_at = reader.range("last_active_at");
    filter.last_sign_in_at = reader.range("last_sign_in_at");
    // Deprecated, and inclusive where last_active_at_after is not.
    if (const auto since = reader.number("last_active_at_since", 0)) {
        filter.last_active_at.after = *since - 1;
    }
    return filter;
}

void read_order(const QueryPairs& pairs, Reader& reader, UserQuery& query) {
    if (!pairs.has("order_by")) return;
    auto name = pairs.get("order_by");
    query.descending = name.starts_with('-');
    if (name.starts_with('-') || name.starts_with('+') || name.starts_with(' ')) name.erase(0, 1);
    const auto* const found =
        std::ranges::find(orders, name, [](const auto& e) { return e.first; });
    if (found != orders.end()) {
        query.order = found->second;
        return;
    }
    std::string known;
    for (const auto& [one, order] : orders) known.append(known.empty() ? "" : ", ").append(one);
    reader.complain("order_by", "must be one of " + known);
}

void read_paging(const QueryPairs& pairs, Reader& reader, UserQuery& query) {
    auto limit = reader.number("limit", 1).value_or(limit_default);
    if (limit > limit_max) limit = limit_default;
    const auto offset = reader.number("offset", 0).value_or(0);
    query.starting_after = pairs.get("starting_after");
    if (reader.error()) return;
    query.limit = static_cast<std::size_t>(limit);
    query.offset = static_cast<std::size_t>(offset);
    if (query.starting_after.empty()) return;
    if (query.order != UserOrder::created_at) {
        reader.complain("starting_after", "can only be used when ordering by created_at");
    }
    if (query.offset > 0) reader.complain("starting_after", "cannot be combined with offset");
}

}  // namespace

QueryPairs::QueryPairs(std::string_view query) {
    while (!query.empty()) {
        const auto end = std::min(query.find('&'), query.size());
        const auto pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (pair.empty()) continue;
        const auto equals = std::min(pair.find('='), pair.size());
        auto name = decoded(pair.substr(0, equals));
        if (name.ends_with("[]")) name.resize(name.size() - 2);
        const auto value = pair.substr(std::min(equals + 1, pair.size()));
        pairs_.emplace_back(std::move(name), decoded(value));
    }
}

std::string QueryPairs::get(std::string_view name) const {
    const auto found = std::ranges::find(pairs_, name, [](const auto& pair) { return pair.first; });
    return found == pairs_.end() ? "" : found->second;
}

bool QueryPairs::has(std::string_view name) const {
    return std::ranges::any_of(pairs_, [&](const auto& pair) { return pair.first == name; });
}

std::vector<std::string> QueryPairs::all(std::string_view name) const {
    std::vector<std::string> values;
    for (const auto& [key, value] : pairs_) {
        if (key == name) values.push_back(value);
    }
    return values;
}

std::expected<UserFilter, ClerkError> parse_user_filter(const QueryPairs& pairs) {
    Reader reader(pairs);
    auto filter = read_filter(pairs, reader);
    if (reader.error()) return std::unexpected(*reader.error());
    return filter;
}

std::expected<UserQuery, ClerkError> parse_user_query(const QueryPairs& pairs) {
    Reader reader(pairs);
    UserQuery query;
    query.filter = read_filter(pairs, reader);
    read_order(pairs, reader, query);
    read_paging(pairs, reader, query);
    if (reader.error()) return std::unexpected(*reader.error());
    return query;
}

}  // namespace rollcall::sim
