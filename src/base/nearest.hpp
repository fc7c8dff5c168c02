// What somebody probably meant who wrote a name that is not known.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rollcall {

// The one of `candidates` that `name` is most like: a few letters differ, one has the other in it,
// or the words stand in another order; letter case does not count. The first of several that are
// equally near; nothing when none is near.
[[nodiscard]] std::optional<std::string> nearest(std::string_view name,
                                                 std::span<const std::string> candidates);

}  // namespace rollcall
