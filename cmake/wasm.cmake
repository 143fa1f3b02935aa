# The libraries of the WebAssembly build, and what its toolchain lacks.

# Debian's headers of libraries that are headers alone, in a folder without those of Debian's C library.
set(wasm_include ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${wasm_include})
foreach(library fmt nlohmann tl protozero hwy)
  if(NOT EXISTS /usr/include/${library})
    message(FATAL_ERROR "The headers of ${library} are missing: `./dev setup` installs them")
  endif()
  file(CREATE_LINK /usr/include/${library} ${wasm_include}/${library} SYMBOLIC)
endforeach()
set(PROTOZERO_INCLUDE_DIR ${wasm_include} CACHE PATH "" FORCE)
add_library(subbyte_wasm_headers INTERFACE)
target_include_directories(subbyte_wasm_headers SYSTEM INTERFACE ${wasm_include})
add_library(subbyte_no_library INTERFACE)
add_library(subbyte_fmt STATIC ${PROJECT_SOURCE_DIR}/cmake/wasm/fmt.cc)
target_link_libraries(subbyte_fmt PUBLIC subbyte_wasm_headers)
add_library(fmt::fmt ALIAS subbyte_fmt)
foreach(name nlohmann_json::nlohmann_json tl::expected hwy::hwy)
  add_library(${name} ALIAS subbyte_wasm_headers)
endforeach()
add_library(Threads::Threads ALIAS subbyte_no_library)

# Zig builds the C++ library for WebAssembly without exceptions and <filesystem>. These are the parts of LLVM's runtime
# for both, from the sources that Zig brings.
get_filename_component(zig_folder ${SUBBYTE_ZIG} DIRECTORY)
set(llvm ${zig_folder}/lib)
enable_language(C ASM)
add_library(subbyte_wasm_runtime OBJECT
  ${llvm}/libcxxabi/src/cxa_aux_runtime.cpp
  ${llvm}/libcxxabi/src/cxa_exception.cpp
  ${llvm}/libcxxabi/src/cxa_personality.cpp
  ${llvm}/libcxxabi/src/cxa_vector.cpp
  ${llvm}/libcxxabi/src/stdlib_new_delete.cpp
  ${llvm}/libunwind/src/Unwind-wasm.c
  ${llvm}/libcxx/src/fstream.cpp
  ${llvm}/libcxx/src/ios.instantiations.cpp
  ${llvm}/libcxx/src/filesystem/directory_entry.cpp
  ${llvm}/libcxx/src/filesystem/directory_iterator.cpp
  ${llvm}/libcxx/src/filesystem/filesystem_error.cpp
  ${llvm}/libcxx/src/filesystem/operations.cpp
  ${llvm}/libcxx/src/filesystem/path.cpp
  ${PROJECT_SOURCE_DIR}/cmake/wasm/cpp_exception.S)
target_include_directories(subbyte_wasm_runtime PRIVATE
  ${llvm}/libcxxabi/include ${llvm}/libcxxabi/src ${llvm}/libcxx/src ${llvm}/libunwind/include ${llvm}/libunwind/src)
target_compile_definitions(subbyte_wasm_runtime PRIVATE
  LIBCXX_BUILDING_LIBCXXABI _LIBCXXABI_BUILDING_LIBRARY _LIBCPP_BUILDING_LIBRARY _LIBCXXABI_HAS_NO_THREADS
  _LIBUNWIND_HAS_NO_THREADS _LIBUNWIND_HIDE_SYMBOLS)
# WASI's C library is musl's, but for the system calls of Linux.
target_compile_options(subbyte_wasm_runtime PRIVATE -w -U_LIBCPP_HAS_MUSL_LIBC -D_LIBCPP_HAS_MUSL_LIBC=0)
set_target_properties(subbyte_wasm_runtime PROPERTIES CXX_STANDARD 23)

# subbyte_wasm_program(TARGET): what every program needs. The runtime's objects come before all others: what the first
# object asks for is otherwise taken from the archive of the library without exceptions.
function(subbyte_wasm_program target)
  add_dependencies(${target} subbyte_wasm_runtime)
  target_link_options(${target} PRIVATE $<TARGET_OBJECTS:subbyte_wasm_runtime>
    # A stack as large as that of a thread on Linux, and as much memory as 32 bits address, less a page.
    -s -Wl,-z,stack-size=8388608 -Wl,--max-memory=4294901760)
  # Its main() catches what nobody else does.
  set_target_properties(${target} PROPERTIES SUFFIX .wasm SUBBYTE_CATCHES ON)
endfunction()

# subbyte_set_catching_apart(TARGET LIST DEPS...): of the sources in LIST, those that catch exceptions become objects of their own,
# which alone are compiled with what catching takes (subbyte_options).
function(subbyte_set_catching_apart target list)
  set(others "")
  set(catching "")
  foreach(source ${${list}})
    get_filename_component(path ${source} ABSOLUTE)
    file(STRINGS ${path} catches REGEX "[ }]catch \\(" LIMIT_COUNT 1)
    if(catches)
      list(APPEND catching ${source})
    else()
      list(APPEND others ${source})
    endif()
  endforeach()
  if(catching)
    add_library(${target}_catching OBJECT ${catching})
    target_link_libraries(${target}_catching PRIVATE subbyte_options subbyte_wasm_headers ${ARGN})
    set_target_properties(${target}_catching PROPERTIES SUBBYTE_CATCHES ON)
    list(APPEND others $<TARGET_OBJECTS:${target}_catching>)
  endif()
  set(${list} ${others} PARENT_SCOPE)
endfunction()

# subbyte_set_fast_apart(TARGET LIST FAST DEPS...): adds to LIST the objects of the sources FAST, compiled for speed.
function(subbyte_set_fast_apart target list fast)
  if(NOT fast)
    return()
  endif()
  add_library(${target}_fast OBJECT ${fast})
  target_link_libraries(${target}_fast PRIVATE subbyte_options subbyte_wasm_headers ${ARGN})
  target_compile_options(${target}_fast PRIVATE -O2)
  set_target_properties(${target}_fast PROPERTIES SUBBYTE_FAST ON)
  subbyte_compile_together(${target}_fast ${fast})
  set(${list} ${${list}} $<TARGET_OBJECTS:${target}_fast> PARENT_SCOPE)
endfunction()

# subbyte_zig_object(TARGET FILE): adds the object of one file of Zig.
function(subbyte_zig_object target file)
  get_filename_component(name ${file} NAME_WE)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}_zig.o)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${SUBBYTE_ZIG} build-obj -target wasm32-wasi -mcpu=generic+simd128+bulk_memory -OReleaseFast -fstrip -lc
            -femit-bin=${object} ${file}
    DEPENDS ${file}
    COMMENT "Compiling ${name}.zig"
    VERBATIM)
  set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  target_sources(${target} PRIVATE ${object})
endfunction()

# subbyte_compile_together(TARGET SOURCES...): several files at a time, where none can tell that the others are there. The
# build is made from nothing more often than a part of it is, and most of the time goes into headers.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
function(subbyte_compile_together target)
  set(paths "")
  foreach(source ${ARGN})
    if(source MATCHES "^\\$<")
      continue()
    endif()
    get_filename_component(path ${source} ABSOLUTE)
    list(APPEND paths ${path})
  endforeach()
  execute_process(
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/cmake/wasm/group_sources.py 10 ${paths}
    OUTPUT_VARIABLE lines OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${paths})
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  string(REPLACE "\n" ";" lines "${lines}")
  foreach(line ${lines})
    string(REGEX MATCH "^([0-9]+) (.*)$" _ "${line}")
    set_source_files_properties(${CMAKE_MATCH_2} PROPERTIES UNITY_GROUP "${target}_${CMAKE_MATCH_1}")
  endforeach()
endfunction()
