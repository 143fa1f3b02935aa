# One function for each suite of ./dev test. A suite that finds nothing to run fails: none may vanish unseen.
# shellcheck shell=bash

# The C++ tests, golden tests among them.
suite_unit() { ctest --test-dir "$build" --parallel "$(jobs)" --output-on-failure --no-tests=error; }

# The runtime and the kernels, in Node.
suite_node() {
  local files=()
  mapfile -t files < <(test_files '*.test.mjs' '*.test.js' '*.test.ts' | grep -v '^tests/browser/' || true)
  node_test "${files[@]}"
}

# Whole models against ONNX Runtime, the command line, the Python package. A file of tests stays in one process: what it
# makes once for all its tests is made once.
suite_python() {
  python -m pytest -q -ra --durations=10 -p no:cacheprovider --numprocesses "$(jobs)" --dist loadfile tests python
}

# The same modules, and the example page, in headless Chromium.
suite_browser() {
  local files=()
  mapfile -t files < <(test_files '*.test.mjs' | grep '^tests/browser/' || true)
  node_test "${files[@]}"
}

# The npm package: packed, installed in an empty folder, and in each bundler.
suite_npm() {
  load pack
  verb_pack npm
  export SUBBYTE_PACKAGE=$packed
  node_test tests/npm/*.test.mjs
}

# Two suites that compile everything once more, of which a change's tests have room for one: at one commit of eight the npm
# package, whose compiler is built as WebAssembly, at the others the C++ tests with sanitizers.
suite_in_turn() {
  load check
  if [[ $(printf '%s\n' {1..8} | shard 1) == 1 ]]; then suite_npm; else suite_addresses; fi
}

# Every shader that the suites before this one handed to WebGPU, by a second implementation of WGSL.
suite_shaders() { python tools/dev/validate_shaders.py "$SUBBYTE_WGSL_DUMP"; }

suite_golden() { ctest --test-dir "$build" --output-on-failure --no-tests=error -R '[Gg]olden'; }

# Formatting, types, lengths of files, generated tables, and clang-tidy on what changed of late.
suite_check() {
  load check
  verb_check --recent
}

# The C++ tests again, built to find wrong addresses and undefined behaviour, and with the verifier after each pass: with
# --all every program of them, else as many as the time of a change's tests has room for.
readonly most_programs=4
suite_addresses() {
  if [[ -n ${SUBBYTE_ALL:-} ]]; then
    sanitized sanitizers
    return
  fi
  load check
  local folder=$build/sanitizers programs=() program
  mapfile -t programs < <(grep -rhoE '^subbyte_test\(\w+' src | cut -d'(' -f2 | sort | shard "$most_programs")
  [[ ${#programs[@]} -eq $most_programs ]] || die "there are fewer than $most_programs programs of tests"
  echo "${programs[*]}"
  configure sanitizers "$folder"
  compile "$folder" "${programs[@]}"
  for program in "${programs[@]}"; do
    "$(find "$folder/src" -type f -name "$program")" --gtest_brief=1
  done
}

# The same for data races.
suite_races() { sanitized thread-sanitizer; }

sanitized() {
  configure "$1" "$build/$1"
  compile "$build/$1"
  ctest --test-dir "$build/$1" --parallel "$(jobs)" --output-on-failure --no-tests=error
}

suite_fuzz() {
  load fuzz
  verb_fuzz 30
}

# test_files PATTERNS...: tracked and new files of the checkout whose name matches, ignored ones left out.
test_files() {
  git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
    [[ -f $file ]] && echo "$file"
  done
}

# One file at a time: they share one software GPU.
node_test() {
  [[ $# -gt 0 ]] || die "this suite has no test files"
  node --test --test-concurrency=1 --test-reporter=spec "$@"
}
