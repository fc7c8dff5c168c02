// A file that the binary carries: its name without folders and its whole text.
#pragma once

#include <string_view>

namespace rollcall {

struct EmbeddedFile {
    std::string_view name;
    std::string_view text;
};

}  // namespace rollcall
