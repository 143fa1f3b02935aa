# Compiles the compiler: build/subbyte, and with it the runtime and the kernels that it embeds.
# shellcheck shell=bash
load setup

# What ccache must overlook to keep objects that were compiled with precompiled headers (ccache's manual says so).
export CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-pch_defines,time_macros}

verb_build() {
  setup_for_build
  if [[ $# -gt 0 ]]; then
    configure release "$build"
    compile "$build" "$@"
  else
    build_program
  fi
}

# The program with the runtime and the kernels in it: tests take most of a whole build.
build_program() {
  configure release "$build"
  compile "$build" subbyte
}

# configure PRESET FOLDER [CMAKE ARGUMENTS]
configure() {
  local preset=$1 folder=$2
  shift 2
  [[ $(command -v ccache) ]] && set -- -DCMAKE_CXX_COMPILER_LAUNCHER=ccache "$@"
  mkdir -p "$folder"
  cmake --preset "$preset" -B "$folder" "$@" >"$folder/configure.log" 2>&1 ||
    { cat "$folder/configure.log" >&2; die "cmake could not configure $folder"; }
}

# What is done of all there is, and for how long, where the builder redraws its line.
export NINJA_STATUS=${NINJA_STATUS:-"[%f of %t, %e s] "}

# compile FOLDER [TARGETS]
compile() {
  local folder=$1
  shift
  if [[ $# -gt 0 ]]; then
    cmake --build "$folder" --parallel "$(jobs)" --target "$@"
  else
    cmake --build "$folder" --parallel "$(jobs)"
  fi
}
