# Target `headers`: every header of src/ compiled alone, so that each includes what it uses. No
# sanitizers and no precompiled header, which would hide what is missing. headers.txt lists the
# objects, for `./dev test` to count.
file(GLOB headers CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/src"
     "${CMAKE_SOURCE_DIR}/src/*/*.hpp")
set(sources "")
foreach(header IN LISTS headers)
  string(REGEX REPLACE "\\.hpp$" ".cpp" source "${CMAKE_BINARY_DIR}/headers/${header}")
  file(CONFIGURE OUTPUT "${source}" CONTENT "#include \"${header}\"\n")
  list(APPEND sources "${source}")
endforeach()

add_library(headers OBJECT EXCLUDE_FROM_ALL ${sources})
target_link_libraries(headers PRIVATE rollcall_cli)
target_compile_options(headers PRIVATE -O0 -g0 -fno-sanitize=all)
file(GENERATE OUTPUT "${CMAKE_BINARY_DIR}/headers.txt"
     CONTENT "$<JOIN:$<TARGET_OBJECTS:headers>,\n>\n")
