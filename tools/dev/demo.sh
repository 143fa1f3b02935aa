# The examples, end to end: from the ONNX files to answers in a browser.
# shellcheck shell=bash
load build

verb_demo() {
  local mode=${1:-}
  [[ -z $mode || $mode == --serve ]] || die "demo takes --serve or nothing, not '$mode'"
  # Only the program, with the runtime and the kernels in it: tests take most of a whole build.
  timed "tools and libraries" setup_for_build
  timed "models" setup_models
  timed "the program; it compiles for minutes the first time, and for seconds where little changed" build_program
  if [[ $mode == --serve ]]; then
    load pack_npm
    timed "the compiler as WebAssembly, for the playground; it compiles for minutes the first time" pack_npm
  fi
  say "the examples"
  # Under the program's own control, so that a stopped server takes nothing with it.
  node tools/dev/demo.mjs $mode
  [[ $mode == --serve ]] || say "done after $SECONDS s"
}

build_program() {
  configure release "$build"
  compile "$build" subbyte
}

# timed WHAT COMMAND...: says what is done, does it, and says how long that took.
timed() {
  local what=$1 begun=$SECONDS
  shift
  say "$what"
  "$@"
  echo "   took $((SECONDS - begun)) s"
}
