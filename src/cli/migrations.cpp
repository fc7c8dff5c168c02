#include "cli/migrations.hpp"

#include "cli/embedded_migrations.hpp"

namespace rollcall::cli {

std::span<const EmbeddedFile> migrations() {
    return embedded_migrations;
}

}  // namespace rollcall::cli
