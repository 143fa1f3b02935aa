# The runtime of the modules: runtime/src bundled by esbuild into one script, SUBBYTE_RUNTIME_BUNDLE.
set(SUBBYTE_RUNTIME_BUNDLE ${PROJECT_BINARY_DIR}/runtime/runtime.js)
set(SUBBYTE_ESBUILD ${PROJECT_SOURCE_DIR}/node_modules/.bin/esbuild)
find_program(SUBBYTE_NODE node REQUIRED)
find_program(SUBBYTE_NPM npm)

if(NOT EXISTS ${SUBBYTE_ESBUILD} OR NOT EXISTS ${PROJECT_SOURCE_DIR}/node_modules/terser)
  if(NOT SUBBYTE_NPM)
    message(FATAL_ERROR "The runtime is bundled by esbuild, which npm installs: install Node.js 20 or newer with npm")
  endif()
  message(STATUS "Installing the JavaScript tools of package-lock.json")
  execute_process(
    COMMAND ${SUBBYTE_NPM} ci --no-audit --no-fund --loglevel=error
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    COMMAND_ERROR_IS_FATAL ANY)
endif()

file(GLOB_RECURSE runtime_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/runtime/src/*.ts)
add_custom_command(
  OUTPUT ${SUBBYTE_RUNTIME_BUNDLE}
  COMMAND ${SUBBYTE_NODE} ${PROJECT_SOURCE_DIR}/runtime/build.mjs ${SUBBYTE_RUNTIME_BUNDLE}
  DEPENDS ${runtime_sources} ${PROJECT_SOURCE_DIR}/runtime/build.mjs
  COMMENT "Bundling the runtime"
  VERBATIM)
