// What toml++ 3.3 is given in place of a file: at some letters beyond ASCII it runs into undefined
// behaviour where it looks for white space, so it gets none. Their bytes, and `~`, become `~C3`;
// where TOML has no such letters it has no `~` either, so what was wrong stays wrong, in its line.
// Keys and strings that come out are to be restored. Pure.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace rollcall {

// Refuses, with a sentence, what is not UTF-8, and a `~` that is written as an escape: it would be
// taken for one of these. A byte order mark is left out.
[[nodiscard]] std::expected<std::string, std::string_view> toml_in_ascii(std::string_view text);

// What a key or a string of such a text was before.
[[nodiscard]] std::string toml_restored(std::string_view text);

}  // namespace rollcall
