// One SQL statement with its name: the name of the prepared statement and the metric label. The
// constants come from the `-- name:` sections of src/<module>/<module>.sql.
#pragma once

#include <string_view>

namespace rollcall::pg {

struct Statement {
    std::string_view name;
    std::string_view text;
};

}  // namespace rollcall::pg
