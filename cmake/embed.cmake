# Files that the binary carries. Every rule lists its inputs, so a changed file is never missed.

# Target `generated`: all of them, for tools that read the sources without building them.
add_custom_target(generated)

function(rollcall_generated target out)
  target_sources(${target} PRIVATE "${out}")
  target_include_directories(${target} PUBLIC "${CMAKE_BINARY_DIR}/generated")
  string(MAKE_C_IDENTIFIER "generated_${out}" name)
  add_custom_target(${name} DEPENDS "${out}")
  add_dependencies(generated ${name})
endfunction()

# rollcall_embed_sql(TARGET FOLDER files…): `-- name: claim` sections of the files become constants
# of type pg::Statement in <build>/generated/<folder>/sql.hpp, namespace rollcall::<folder>::sql.
function(rollcall_embed_sql target folder)
  set(out "${CMAKE_BINARY_DIR}/generated/${folder}/sql.hpp")
  string(REPLACE ";" "|" joined "${ARGN}")
  add_custom_command(
    OUTPUT "${out}"
    COMMAND ${CMAKE_COMMAND} "-DINPUTS=${joined}" -DOUTPUT=${out} -DFOLDER=${folder}
            -P ${CMAKE_SOURCE_DIR}/cmake/embed_sql.cmake
    DEPENDS ${ARGN} "${CMAKE_SOURCE_DIR}/cmake/embed_sql.cmake"
    VERBATIM)
  rollcall_generated(${target} "${out}")
endfunction()

# rollcall_embed_files(TARGET HEADER NAMESPACE VARIABLE files…): a sorted array of {name, text}
# in <build>/generated/HEADER.
function(rollcall_embed_files target header namespace variable)
  set(out "${CMAKE_BINARY_DIR}/generated/${header}")
  string(REPLACE ";" "|" joined "${ARGN}")
  add_custom_command(
    OUTPUT "${out}"
    COMMAND ${CMAKE_COMMAND} "-DINPUTS=${joined}" -DOUTPUT=${out} -DNAMESPACE=${namespace}
            -DVARIABLE=${variable} -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    DEPENDS ${ARGN} "${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake"
    VERBATIM)
  rollcall_generated(${target} "${out}")
endfunction()
