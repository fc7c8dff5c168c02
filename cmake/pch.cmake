# rollcall_pch(TARGET): compiles TARGET's sources with cmake/pch.hpp precompiled, once for all
# targets. CMake's own precompiled headers carry the path of the build folder, so that ccache never
# finds in one clone what was compiled in another. Compiled from standard input with / as the
# current folder, the header carries no path of ours: its bytes are equal in every clone. Needs
# Clang; other compilers do without.
function(rollcall_pch target)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    return()
  endif()
  set(pch "${CMAKE_BINARY_DIR}/pch.pch")
  if(NOT TARGET rollcall_precompiled)
    string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
    separate_arguments(flags UNIX_COMMAND "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${type}}")
    get_directory_property(options DIRECTORY "${CMAKE_SOURCE_DIR}" COMPILE_OPTIONS)
    get_directory_property(definitions DIRECTORY "${CMAKE_SOURCE_DIR}" COMPILE_DEFINITIONS)
    list(TRANSFORM definitions PREPEND "-D")
    add_custom_command(
      OUTPUT "${pch}"
      COMMAND sh -c "cd / && exec \"$0\" \"$@\" <'${CMAKE_SOURCE_DIR}/cmake/pch.hpp'"
              ${CMAKE_CXX_COMPILER} ${flags} ${options} ${definitions}
              ${CMAKE_CXX23_STANDARD_COMPILE_OPTION} ${CMAKE_CXX_COMPILE_OPTIONS_PIC}
              -Wno-pragma-once-outside-header -Xclang -fno-pch-timestamp -fpch-instantiate-templates
              -MD -MT pch.pch -MF "${pch}.d" -x c++-header - -o "${pch}"
      DEPENDS "${CMAKE_SOURCE_DIR}/cmake/pch.hpp"
      DEPFILE "${pch}.d"
      COMMENT "Precompiling cmake/pch.hpp"
      VERBATIM)
    add_custom_target(rollcall_precompiled DEPENDS "${pch}")
  endif()
  add_dependencies(${target} rollcall_precompiled)
  target_compile_options(${target} PRIVATE "SHELL:-Xclang -include-pch -Xclang ${pch}"
                                           "SHELL:-Xclang -fno-pch-timestamp")
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.cpp$")
  set_property(SOURCE ${sources} TARGET_DIRECTORY ${target} APPEND PROPERTY OBJECT_DEPENDS "${pch}")
endfunction()
