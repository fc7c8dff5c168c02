#include "admin/query.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace rollcall::admin {

Result<void> check_query(const http::Request& request, std::span<const std::string_view> known) {
    std::set<std::string_view> seen;
    std::string_view rest = request.query;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('&'), rest.size());
        const std::string_view name = rest.substr(0, std::min(rest.find('='), end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (std::ranges::find(known, name) == known.end()) {
            return fail(ErrorCode::invalid_input,
                        known.empty()
                            ? "this request takes no query"
                            : fmt::format("the query has a member that is not known here; there "
                                          "are {}",
                                          fmt::join(known, ", ")));
        }
        if (!seen.insert(name).second) {
            return fail(ErrorCode::invalid_input, fmt::format("{} comes twice", name));
        }
        if (!request.query_parameter(name)) {
            return fail(ErrorCode::invalid_input, fmt::format("{} is badly encoded", name));
        }
    }
    return {};
}

}  // namespace rollcall::admin
