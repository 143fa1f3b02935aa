# Packages as users install them: a file for each kind, tools/dev/pack_KIND.sh, with a function pack_KIND.
# shellcheck shell=bash

verb_pack() {
  local kinds=("$@") kind known=()
  for kind in tools/dev/pack_*.sh; do
    kind=${kind#tools/dev/pack_}
    known+=("${kind%.sh}")
  done
  [[ ${#kinds[@]} -gt 0 ]] || kinds=("${known[@]}")
  for kind in "${kinds[@]}"; do
    [[ " ${known[*]} " == *" $kind "* ]] || die "there is no package '$kind'; there are: ${known[*]}"
  done
  for kind in "${kinds[@]}"; do
    load "pack_$kind"
    "pack_$kind"
  done
}
