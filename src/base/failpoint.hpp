// A named place where a test may make the program stop. `rollcall` links an empty function and has
// no code that could be told to do anything; `rollcall_faults`, which only tests run, links
// tests/support/failpoint_on.cpp instead. docs/testing.md lists the names; each stands in one
// place.
#pragma once

#include <string_view>

namespace rollcall {

// May throw Unavailable, as if a neighbour had gone at this place.
void failpoint(std::string_view name);

}  // namespace rollcall
