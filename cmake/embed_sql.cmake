# Script: INPUTS (.sql with `-- name: x` sections, separated by |) ->
# OUTPUT (header of pg::Statement constants). A line `-- as other: this => that` stands for the text
# of the section `other` above it, with `that` wherever it says `this`.
set(body "")
set(name "")
set(section "")
macro(finish)
  if(name)
    string(STRIP "${section}" section)
    set(section_${name} "${section}")
    string(APPEND body "inline constexpr pg::Statement ${name}{\"${FOLDER}_${name}\", "
           "R\"rollcall(\n${section}\n)rollcall\"};\n\n")
  endif()
endmacro()
string(REPLACE "|" ";" inputs "${INPUTS}")
foreach(input IN LISTS inputs)
  file(READ "${input}" text)
  string(REPLACE ";" "\\;" text "${text}")
  string(REPLACE "\n" ";" lines "${text}")
  foreach(line IN LISTS lines)
    if(line MATCHES "^-- name: ([a-z_0-9]+)")
      set(next "${CMAKE_MATCH_1}")
      finish()
      set(name "${next}")
      set(section "")
    elseif(line MATCHES "^-- as ([a-z_0-9]+): (.+) => (.+)$")
      string(REPLACE "${CMAKE_MATCH_2}" "${CMAKE_MATCH_3}" other "${section_${CMAKE_MATCH_1}}")
      if(other STREQUAL "${section_${CMAKE_MATCH_1}}")
        message(FATAL_ERROR "${input}: ${name}: ${CMAKE_MATCH_1} has nothing to replace")
      endif()
      string(APPEND section "${other}\n")
    elseif(name)
      string(APPEND section "${line}\n")
    endif()
  endforeach()
  finish()
  set(name "")
endforeach()
file(WRITE "${OUTPUT}" "// Generated from the .sql files of ${FOLDER}/; edit those.
#pragma once

#include \"pg/statement.hpp\"

namespace rollcall::${FOLDER}::sql {

${body}}  // namespace rollcall::${FOLDER}::sql
")
