# The tests in headless Chromium, or the given files of them.
# shellcheck shell=bash
load build
load suites

verb_browser() {
  verb_setup
  configure release "$build"
  compile "$build"
  if [[ $# -gt 0 ]]; then node_test "$@"; else suite_browser; fi
}
