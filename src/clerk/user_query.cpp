#include "clerk/user_query.hpp"

#include "base/ascii.hpp"
#include "base/result.hpp"

namespace rollcall::clerk {
namespace {

void append(std::string& out, std::string_view name, std::string_view value) {
    if (!out.empty()) out += '&';
    out += name;
    out += '=';
    append_percent_encoded(out, value);
}

std::string_view order_name(UserOrder order) {
    switch (order) {
        case UserOrder::created:
            return "created_at";
        case UserOrder::created_newest:
            return "-created_at";
        case UserOrder::updated:
            return "updated_at";
        case UserOrder::updated_newest:
            return "-updated_at";
    }
    return "";
}

bool by_creation(UserOrder order) {
    return order == UserOrder::created || order == UserOrder::created_newest;
}

}  // namespace

std::string query_string(const UserFilter& filter) {
    ensure(filter.ids.size() <= filter_ids_max, "user query: too many ids");
    std::string out;
    if (filter.created_after_ms) {
        append(out, "created_at_after", std::to_string(*filter.created_after_ms));
    }
    if (filter.created_before_ms) {
        append(out, "created_at_before", std::to_string(*filter.created_before_ms));
    }
    for (const std::string& id : filter.ids) {
        // Clerk reads a leading minus as "not this one"; the plus takes that meaning from the id.
        const bool has_sign = id.starts_with('-') || id.starts_with('+');
        append(out, "user_id", has_sign ? "+" + id : id);
    }
    return out;
}

std::string query_string(const UserQuery& query) {
    ensure(query.limit > 0 && query.limit <= page_users_max, "user query: a limit out of bounds");
    ensure(query.starting_after.empty() || (by_creation(query.order) && query.offset == 0),
           "user query: a cursor only by creation and without an offset");
    std::string out = query_string(query.filter);
    append(out, "order_by", order_name(query.order));
    append(out, "limit", std::to_string(query.limit));
    if (query.offset > 0) append(out, "offset", std::to_string(query.offset));
    if (!query.starting_after.empty()) append(out, "starting_after", query.starting_after);
    return out;
}

}  // namespace rollcall::clerk
