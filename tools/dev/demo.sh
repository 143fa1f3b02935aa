# The examples, end to end: from the ONNX files to answers in a browser.
# shellcheck shell=bash
load build

verb_demo() {
  local mode=${1:-}
  [[ -z $mode || $mode == --serve ]] || die "demo takes --serve or nothing, not '$mode'"
  setup_for_build
  setup_models
  configure release "$build"
  compile "$build"
  say "demo"
  # Under the program's own control, so that a stopped server takes nothing with it.
  node tools/dev/demo.mjs $mode
}
