# Regenerates the golden files from what the program writes now. Review the difference before committing it.
# shellcheck shell=bash
load build

verb_golden() {
  setup_for_build test
  configure release "$build"
  compile "$build"
  # One at a time: tests that write the same file must not race.
  SUBBYTE_GOLDEN=update ctest --test-dir "$build" --output-on-failure --no-tests=error -R '[Gg]olden'
  git status --short -- src tests docs
}
