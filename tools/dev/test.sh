# Runs the suites one after the other. All run, whatever fails; the exit status tells whether any did.
# shellcheck shell=bash
load build
load suites

readonly everyday_suites=(check unit in_turn node python browser shaders)
readonly long_suites=(npm races fuzz)

verb_test() {
  local suites=() argument suite failed=()
  for argument in "$@"; do
    case $argument in
      --all)
        suites=("${everyday_suites[@]/in_turn/addresses}" "${long_suites[@]}")
        export SUBBYTE_ALL=1
        ;;
      *)
        declare -F "suite_$argument" >/dev/null ||
          die "there is no suite '$argument'; there are: $(declare -F | sed -n 's/^declare -f suite_//p' | xargs)"
        suites+=("$argument")
        ;;
    esac
  done
  [[ ${#suites[@]} -eq 0 ]] && suites=("${everyday_suites[@]}")

  verb_setup
  say "build"
  configure release "$build"
  compile "$build"
  rm -rf "$SUBBYTE_WGSL_DUMP"
  for suite in "${suites[@]}"; do
    say "suite $suite"
    local started=$SECONDS
    # In a subshell of its own, so that `set -e` holds inside it; not as a condition, which would switch it off.
    set +e
    (set -e; "suite_$suite")
    local status=$?
    set -e
    [[ $status -eq 0 ]] || failed+=("$suite")
    printf -- '-- suite %s: %s after %d s\n' "$suite" "$([[ $status -eq 0 ]] && echo ok || echo FAILED)" $((SECONDS - started))
  done
  [[ ${#failed[@]} -eq 0 ]] || die "these suites failed: ${failed[*]}"
  say "all suites passed: ${suites[*]}"
}
