# WebAssembly with the system interface WASI (preview 1), compiled by the clang that comes with Zig (PyPI's `ziglang`, pinned
# in tools/dev/pack.sh), whose C and C++ libraries are of the same release.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)

get_filename_component(SUBBYTE_SOURCE_ROOT ${CMAKE_CURRENT_LIST_DIR}/../.. ABSOLUTE)
if(NOT SUBBYTE_ZIG)
  file(GLOB SUBBYTE_ZIG ${SUBBYTE_SOURCE_ROOT}/.cache/zig-*/ziglang/zig)
endif()
if(NOT EXISTS "${SUBBYTE_ZIG}")
  message(FATAL_ERROR "Zig is missing: `./dev pack` installs it, or name it with -DSUBBYTE_ZIG=")
endif()
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SUBBYTE_ZIG)
# CMake's own tests of the compiler run in folders of their own.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

# One word each, as CMake and ccache want a compiler.
set(wrappers ${CMAKE_BINARY_DIR}/zig)
foreach(tool "zig-clang:cc -target wasm32-wasi" "zig-clang++:c++ -target wasm32-wasi" "zig-ar:ar" "zig-ranlib:ranlib")
  string(REPLACE ":" ";" tool "${tool}")
  list(GET tool 0 name)
  list(GET tool 1 arguments)
  file(CONFIGURE OUTPUT ${wrappers}/${name} CONTENT "#!/bin/sh\nexec '${SUBBYTE_ZIG}' ${arguments} \"$@\"\n")
  file(CHMOD ${wrappers}/${name} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE)
endforeach()
set(CMAKE_C_COMPILER ${wrappers}/zig-clang)
set(CMAKE_CXX_COMPILER ${wrappers}/zig-clang++)
set(CMAKE_AR ${wrappers}/zig-ar CACHE FILEPATH "")
set(CMAKE_RANLIB ${wrappers}/zig-ranlib CACHE FILEPATH "")

# What every browser and Node 20 has: SIMD, exceptions, copies of blocks of memory. Zig leaves the library's <filesystem>
# out; wasm.cmake brings what it needs.
set(wasm_features "-msimd128 -mbulk-memory -mnontrapping-fptoint -msign-ext -mexception-handling -fwasm-exceptions -fexceptions")
string(APPEND wasm_features " -U_LIBCPP_HAS_FILESYSTEM -D_LIBCPP_HAS_FILESYSTEM=1")
set(CMAKE_C_FLAGS_INIT "${wasm_features}")
set(CMAKE_CXX_FLAGS_INIT "${wasm_features}")
set(CMAKE_ASM_FLAGS_INIT "-mexception-handling")
