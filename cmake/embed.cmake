# Files as bytes in the program, without a tool but CMake.
#
# subbyte_embed(TARGET NAME FILE): adds to TARGET a source made from FILE, anew whenever FILE changes, and a header
# "embedded/NAME.h" with
#
#     namespace subbyte::embedded { extern const std::string_view NAME; }
#
# NAME is a C++ identifier. FILE may itself be the output of a custom command of the same directory. The view is
# constant-initialized: it may be read before main. Its bytes are followed by a 0 that is not part of it.
# With WITHOUT_COMMENTS after the file, what // begins is left out to the end of its line, and what indents lines.
set(SUBBYTE_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/embed_file.cmake)

function(subbyte_embed target name file)
  get_filename_component(input ${file} ABSOLUTE)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/embedded_${target})
  set(source ${folder}/embedded/${name}.cc)
  set(header ${folder}/embedded/${name}.h)
  add_custom_command(
    OUTPUT ${source} ${header}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${input} -DKEPT=${ARGN} -DNAME=${name} -DSOURCE=${source} -DHEADER=${header}
            -P ${SUBBYTE_EMBED_SCRIPT}
    DEPENDS ${input} ${SUBBYTE_EMBED_SCRIPT}
    COMMENT "Embedding ${name}"
    VERBATIM)
  target_sources(${target} PRIVATE ${source} ${header})
  set_source_files_properties(${source} PROPERTIES UNITY_GROUP embedded)
  target_include_directories(${target} PRIVATE ${folder})
endfunction()
