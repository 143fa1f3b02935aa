# How every target of this project is compiled, and the two ways to declare one.

add_library(subbyte_options INTERFACE)
if(SUBBYTE_WASM)
  # Code that the native build has warned of; what differs is that a size has 32 bits.
  # Nothing of an exception is needed on its way to who catches it: the run of the program ends there, its host takes the memory
  # back and closes files. What would free and close on the way is a tenth of the code.
  # Nothing asks for the type of an object at run time, and there are no threads to guard what a function keeps.
  target_compile_options(subbyte_options INTERFACE -Wno-everything -Wshorten-64-to-32 -fno-rtti -fno-threadsafe-statics
    $<$<NOT:$<BOOL:$<TARGET_PROPERTY:SUBBYTE_CATCHES>>>:-fignore-exceptions>
    # Zig makes -Os of -Oz, with which code takes a quarter less; where time is spent is compiled apart (FAST).
    $<$<NOT:$<BOOL:$<TARGET_PROPERTY:SUBBYTE_FAST>>>:SHELL:-Xclang -Oz>)
else()
  target_compile_options(subbyte_options INTERFACE
    -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wsign-conversion -Wno-sign-conversion)
endif()
target_compile_options(subbyte_options INTERFACE
  # The same bytes on every machine: no fused multiply-add that the source does not spell out.
  -ffp-contract=off)
target_include_directories(subbyte_options INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}/src)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False alarms of GCC 12: on std::string concatenation (GCC bug 105651), and on copies of an empty std::optional (GCC
  # bug 80635), in its own <regex> too once a sanitizer is on.
  target_compile_options(subbyte_options INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
  if(SUBBYTE_PRECOMPILE)
    # More of them: GCC warns of precompiled system headers as if they were ours. Builds without keep these warnings.
    target_compile_options(subbyte_options INTERFACE -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds)
  endif()
endif()
if(SUBBYTE_SANITIZE)
  target_compile_options(subbyte_options INTERFACE -fsanitize=${SUBBYTE_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(subbyte_options INTERFACE -fsanitize=${SUBBYTE_SANITIZE})
endif()
if(SUBBYTE_VERIFY)
  target_compile_definitions(subbyte_options INTERFACE SUBBYTE_VERIFY=1)
endif()

# The headers of others that most files include, compiled once for libraries and once for tests, which are built
# differently. No header of our own is among them, so that an edit does not compile everything anew.
set(subbyte_common_headers
  <algorithm> <array> <cstdint> <cstring> <functional> <map> <memory> <numeric> <optional> <set> <span> <string>
  <string_view> <unordered_map> <unordered_set> <utility> <variant> <vector> <fmt/core.h> <tl/expected.hpp>)

# subbyte_precompile(TARGET OWNER [HEADERS ...]): TARGET takes the common headers, and HEADERS, that OWNER compiles.
function(subbyte_precompile target owner)
  if(NOT SUBBYTE_PRECOMPILE)
    return()
  endif()
  if(NOT TARGET ${owner})
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${owner}.cc CONTENT "")
    add_library(${owner} OBJECT ${PROJECT_BINARY_DIR}/${owner}.cc)
    target_link_libraries(${owner} PRIVATE subbyte_options fmt::fmt tl::expected)
    target_precompile_headers(${owner} PRIVATE ${subbyte_common_headers} ${ARGN})
    if(owner STREQUAL "subbyte_test_headers")
      target_link_libraries(${owner} PRIVATE GTest::gtest)
      target_compile_options(${owner} PRIVATE ${subbyte_test_options})
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${owner})
endfunction()

# A test runs about once for each time it is compiled, so it is not worth much optimizing.
set(subbyte_test_options $<$<CONFIG:Release>:-O1>)

# subbyte_library(NAME SOURCES a.cc ... FAST b.cc ... DEPS subbyte_base ...): a static library of one folder of src/. FAST are
# those of its sources in which time is spent: WebAssembly is compiled to be small but for them.
function(subbyte_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;FAST;DEPS" ${ARGN})
  if(SUBBYTE_WASM)
    subbyte_set_catching_apart(${name} arg_SOURCES ${arg_DEPS})
    subbyte_set_fast_apart(${name} arg_SOURCES "${arg_FAST}" ${arg_DEPS})
  else()
    list(APPEND arg_SOURCES ${arg_FAST})
  endif()
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC subbyte_options ${arg_DEPS})
  subbyte_precompile(${name} subbyte_headers)
  if(SUBBYTE_WASM)
    subbyte_compile_together(${name} ${arg_SOURCES})
  endif()
endfunction()

# subbyte_test(NAME SOURCES a_test.cc ... DEPS ...): a GoogleTest program registered with ctest.
function(subbyte_test name)
  if(NOT SUBBYTE_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE subbyte_options ${arg_DEPS} subbyte_golden GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_options(${name} PRIVATE ${subbyte_test_options})
  subbyte_precompile(${name} subbyte_test_headers <gtest/gtest.h>)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60)
endfunction()
