# Compiler settings that every target shares: warnings, hardening, sanitizers, ccache.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers need the sloppiness; with more of it (include_file_mtime) an object of a
  # header of before is kept under that header of now. What an object holds does not depend on where
  # the clone and its build folder are (-ffile-prefix-map below, cmake/pch.cmake): all clones share.
  set(sloppiness pch_defines,time_macros)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=${sloppiness};CCACHE_NOHASHDIR=1;CCACHE_DEPEND=1"
      "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR};${CCACHE}")
endif()

set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")

# One precompiled header serves libraries and programs, so both are compiled alike.
set(CMAKE_CXX_COMPILE_OPTIONS_PIE "${CMAKE_CXX_COMPILE_OPTIONS_PIC}")

add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.
                    -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
                    -Wextra-semi -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # A designated initialiser names what it sets; the rest has defaults on purpose.
  add_compile_options(-Wno-missing-designated-field-initializers)
endif()
if(ROLLCALL_WERROR)
  add_compile_options(-Werror)
endif()
if(ROLLCALL_SANITIZE)
  add_compile_options(-fsanitize=${ROLLCALL_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ROLLCALL_SANITIZE})
else()
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
if(ROLLCALL_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
add_link_options(-Wl,-z,relro,-z,now)
find_program(LLD ld.lld-19)
if(LLD AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  add_link_options(-fuse-ld=lld)
endif()

# Boost.Asio: only what this project uses, and the concrete executor on every path.
add_compile_definitions(BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_ARRAY
                        BOOST_ASIO_DISABLE_BOOST_BIND)
