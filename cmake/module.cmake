# rollcall_module(NAME USES lower… LIBRARIES …): src/NAME as one static library. A folder that holds
# *.sql gets its statements as NAME/sql.hpp. tests/CMakeLists.txt makes the program NAME_test of
# its *_test.cpp.

function(rollcall_module name)
  cmake_parse_arguments(ARG "" "" "USES;LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${name}/*.cpp")
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")

  if(NOT sources)
    set(sources "${CMAKE_SOURCE_DIR}/cmake/empty.cpp")
  endif()
  add_library(rollcall_${name} STATIC ${sources})
  target_include_directories(rollcall_${name} PUBLIC "${CMAKE_SOURCE_DIR}/src")
  list(TRANSFORM ARG_USES PREPEND rollcall_)
  target_link_libraries(rollcall_${name} PUBLIC ${ARG_USES} ${ARG_LIBRARIES})
  rollcall_pch(rollcall_${name})
  file(GLOB statements CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${name}/*.sql")
  if(statements)
    rollcall_embed_sql(rollcall_${name} ${name} ${statements})
  endif()

  set_property(GLOBAL APPEND PROPERTY ROLLCALL_MODULES ${name})
  set_property(GLOBAL PROPERTY ROLLCALL_TESTS_${name} "${tests}")
endfunction()
