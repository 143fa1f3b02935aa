# How every target of this project is compiled, and the two ways to declare one.

add_library(subbyte_options INTERFACE)
target_compile_options(subbyte_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wsign-conversion -Wno-sign-conversion
  # The same bytes on every machine: no fused multiply-add that the source does not spell out.
  -ffp-contract=off)
target_include_directories(subbyte_options INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}/src)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # A false alarm of GCC 12 on std::string concatenation (GCC bug 105651).
  target_compile_options(subbyte_options INTERFACE -Wno-restrict)
endif()
if(SUBBYTE_SANITIZE)
  target_compile_options(subbyte_options INTERFACE -fsanitize=${SUBBYTE_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(subbyte_options INTERFACE -fsanitize=${SUBBYTE_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 sees uninitialized members in its own <regex> once a sanitizer is on.
    target_compile_options(subbyte_options INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
if(SUBBYTE_VERIFY)
  target_compile_definitions(subbyte_options INTERFACE SUBBYTE_VERIFY=1)
endif()

# subbyte_library(NAME SOURCES a.cc ... DEPS subbyte_base ...): a static library of one folder of src/.
function(subbyte_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC subbyte_options ${arg_DEPS})
endfunction()

# subbyte_test(NAME SOURCES a_test.cc ... DEPS ...): a GoogleTest program registered with ctest.
function(subbyte_test name)
  if(NOT SUBBYTE_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE subbyte_options ${arg_DEPS} subbyte_golden GTest::gtest GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60)
endfunction()
