# Script: INPUT (.sql with `-- name: x` sections) -> OUTPUT (header of pg::Statement constants).
file(READ "${INPUT}" text)
string(REPLACE ";" "\\;" text "${text}")
string(REPLACE "\n" ";" lines "${text}")
set(body "")
set(name "")
set(section "")
macro(finish)
  if(name)
    string(STRIP "${section}" section)
    string(APPEND body "inline constexpr pg::Statement ${name}{\"${FOLDER}_${name}\", "
           "R\"rollcall(\n${section}\n)rollcall\"};\n\n")
  endif()
endmacro()
foreach(line IN LISTS lines)
  if(line MATCHES "^-- name: ([a-z_0-9]+)")
    set(next "${CMAKE_MATCH_1}")
    finish()
    set(name "${next}")
    set(section "")
  elseif(name)
    string(APPEND section "${line}\n")
  endif()
endforeach()
finish()
file(WRITE "${OUTPUT}" "// Generated from ${FOLDER}/${FOLDER}.sql; edit that.
#pragma once

#include \"pg/statement.hpp\"

namespace rollcall::${FOLDER}::sql {

${body}}  // namespace rollcall::${FOLDER}::sql
")
