# Script: INPUTS (paths joined by |) -> OUTPUT (header: std::array of {name, text}).
string(REPLACE "|" ";" inputs "${INPUTS}")
list(SORT inputs)
list(LENGTH inputs count)
set(body "")
foreach(input IN LISTS inputs)
  get_filename_component(name "${input}" NAME)
  file(READ "${input}" text)
  # One raw string literal holds at most 64 KiB portably; split long files.
  set(pieces "")
  string(LENGTH "${text}" length)
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${text}" ${at} 12000 piece)
    string(APPEND pieces "R\"rollcall(${piece})rollcall\"\n")
    math(EXPR at "${at} + 12000")
  endwhile()
  if(length EQUAL 0)
    set(pieces "\"\"")
  endif()
  string(APPEND body "    EmbeddedFile{\"${name}\", ${pieces}},\n")
endforeach()
file(WRITE "${OUTPUT}" "// Generated; edit the embedded files instead.
#pragma once

#include \"base/embedded_file.hpp\"

#include <array>

namespace ${NAMESPACE} {

inline constexpr std::array<EmbeddedFile, ${count}> ${VARIABLE}{{
${body}}};

}  // namespace ${NAMESPACE}
")
