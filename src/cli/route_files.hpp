// The files of a Next.js application, as far as `verify policy --routes` reads and writes them.
// Symbolic links are never followed, so nothing outside the directory is read or changed.
#pragma once

#include "base/result.hpp"
#include "gate/route_check.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::cli {

struct RouteFiles {
    std::filesystem::path app;            // where the routes begin
    std::vector<gate::AppFile> files;     // routes and pages, by name
    std::vector<std::string> unreadable;  // "api/x/route.ts: is a symbolic link": not looked at
};

// `directory` is `app` itself, or has `app` or `src/app` in it. invalid_input where there is none,
// or more in it than an application has (100,000 entries, 4 MiB a route file, 64 folders deep).
[[nodiscard]] Result<RouteFiles> read_route_files(const std::string& directory);

// Puts `after` in the place of `before`, with its owner and mode, all or nothing. conflict when the
// file is another than `before` by now.
[[nodiscard]] Result<void> replace_file(const std::filesystem::path& path, std::string_view before,
                                        std::string_view after);

}  // namespace rollcall::cli
