# What a change must pass besides the tests.
# shellcheck shell=bash
load build
load fmt

readonly longest_file=500
readonly most_tidied=12

verb_check() {
  local failed=() step
  setup_for_build test check
  configure release "$build"
  compile "$build"
  for step in formatted types lengths functions tables; do run_step "$step"; done
  run_step tidy "${1:-}"
  [[ ${#failed[@]} -eq 0 ]] || die "check failed: ${failed[*]}"
  say "check passed"
}

run_step() {
  say "check $1"
  set +e
  (set -e; "$@")
  local status=$?
  set -e
  [[ $status -eq 0 ]] || failed+=("$1")
}

# Samples of a user's code are left to their own tests, which first make the types that they import.
types() {
  local project
  while read -r project; do
    tsc --noEmit -p "$project"
  done < <(sources '*tsconfig.json' | grep -v -e '^tests/runtime/types/' -e '^examples/vite/')
}

lengths() {
  local file lines long=0
  while read -r file; do
    lines=$(wc -l <"$file")
    if [[ $lines -gt $longest_file ]]; then
      echo "$file has $lines lines; the most is $longest_file: it holds more than one idea" >&2
      long=1
    fi
  done < <(sources '*.cc' '*.h' '*.def' '*.ts' '*.mjs' '*.js' '*.css' '*.py' '*.sh' '*.wgsl' '*.cmake' 'dev')
  return $long
}

# What the functions of the C library give differs from machine to machine, and bytes and choices must not.
functions() {
  local found
  found=$(grep -nE 'std::(exp|exp2|expm1|log|log2|log10|log1p|pow|a?(sin|cos|tan)h?|erfc?|cbrt|hypot)\(' $(sources 'src/*.cc' 'src/*.h' | grep -v '_test\.cc$') |
    grep -v '^src/base/scalar_math\.cc:') || return 0
  printf '%s\n' "$found" >&2
  echo "these are not the same on every machine; src/base/scalar_math.h has functions that are" >&2
  return 1
}

tables() { python tools/dev/tables.py --check --help-too; }

# clang-tidy is slow: only what differs from the last commit, unless a choice of files is named: `--all` is every file,
# `--recent` those that the commits of the last days changed, as many as the time of a change's tests has room for.
tidy() {
  local files=()
  case $1 in
    --all) mapfile -t files < <(sources 'src/*.cc') ;;
    --recent) mapfile -t files < <(recent_sources | shard "$most_tidied") ;;
    *) mapfile -t files < <({ git diff --name-only HEAD -- 'src/*.cc'; git ls-files --others --exclude-standard -- 'src/*.cc'; } | sort -u) ;;
  esac
  local existing=() file
  for file in "${files[@]}"; do
    # Those for WebAssembly are not compiled in this build.
    if [[ -f $file ]] && grep -qF "/$file\"" "$build/compile_commands.json"; then existing+=("$file"); fi
  done
  [[ ${#existing[@]} -eq 0 ]] && return
  echo "${#existing[@]} files"
  # The compiler's precompiled headers are nothing that clang reads.
  mkdir -p "$build/tidy"
  sed -E 's/ -Winvalid-pch -include [^ ]+cmake_pch\.hxx//g' "$build/compile_commands.json" >"$build/tidy/compile_commands.json"
  printf '%s\n' "${existing[@]}" | xargs -P "$(jobs)" -n 4 clang-tidy-14 -p "$build/tidy" --quiet --warnings-as-errors='*'
}

recent_sources() {
  local file
  git log --since='3 days ago' --name-only --format= -- 'src/*.cc' | grep -v '_test\.cc$' | sort -u | while read -r file; do
    if [[ -f $file ]]; then echo "$file"; fi
  done
}

# shard COUNT: that many of the lines on standard input, chosen by the commit's hash: each commit takes others.
shard() {
  local commit
  commit=$(git rev-parse HEAD)
  while read -r line; do
    printf '%s %s\n' "$(printf '%s %s' "$commit" "$line" | sha256sum | cut -c1-16)" "$line"
  done | sort | head -n "$1" | cut -d' ' -f2-
}
