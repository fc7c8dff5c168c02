// The source of a route file of Next.js (`app/…/route.ts`): which methods it exports, and what the
// comment at its top says of access. Pure. JavaScript and TypeScript are read as far as that takes:
// comments, strings, templates and regular expressions are told apart, nothing is evaluated.
#pragma once

#include "gate/policy.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::gate {

struct RouteExports {
    std::vector<std::string> methods;  // in the order of Next.js's documentation, each once
    bool others = false;               // `export * from`: there may be more
};
[[nodiscard]] RouteExports exported_methods(std::string_view source);

// What one method of the file needs.
struct MethodAccess {
    std::string method;
    Access access = Access::protected_;
    std::optional<Client> client{};
};

// The comment lines that a file should begin with, without `//`. Where its methods differ, each
// line names those that it is about. An endpoint that is public but works with the admin's database
// client proves its caller itself, as a webhook does by its signature.
[[nodiscard]] std::vector<std::string> notices(std::span<const MethodAccess> methods);

struct NoticeCheck {
    std::vector<std::string> missing;
    std::vector<std::string> contradicting;  // lines of the file that say something else
};
// Of an endpoint for admins, and of one that is public but has the admin's client, the plain
// sentence is as good: it says of the token what is so.
[[nodiscard]] NoticeCheck check_notices(std::string_view source,
                                        std::span<const MethodAccess> methods);

// `source` with `lines` as comments at its top, all its own bytes kept: behind a byte order mark,
// with the line end of its first line.
[[nodiscard]] std::string with_notices(std::string_view source, std::span<const std::string> lines);

}  // namespace rollcall::gate
