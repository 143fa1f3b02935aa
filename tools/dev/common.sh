# What every verb shares: where things are, and how they are announced. Sourced by ./dev with $root set.
# shellcheck shell=bash

readonly cache=$root/.cache
readonly build=$root/build
readonly venv=$cache/venv
readonly models=$cache/models

# Programs that setup brings come first, so that every machine runs the same versions.
export PATH=$root/node_modules/.bin:$venv/bin:$cache/node/bin:$cache/naga/bin:$PATH

# What the tests are told. Each can be overridden by the caller.
export SUBBYTE=${SUBBYTE:-$build/subbyte}
export SUBBYTE_MODELS=${SUBBYTE_MODELS:-$models}
export SUBBYTE_WGSL_DUMP=${SUBBYTE_WGSL_DUMP:-$build/shaders}
export CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
# WebGPU on the CPU for Node: SwiftShader, as Debian's Chromium ships it.
if [[ -z ${VK_ICD_FILENAMES:-} && -z ${VK_DRIVER_FILES:-} && -f /usr/lib/chromium/vk_swiftshader_icd.json ]]; then
  export VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json
fi
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/tmp}
export PIP_DISABLE_PIP_VERSION_CHECK=1

# load NAME: sources tools/dev/NAME.sh, once.
declare -A loaded=()
load() {
  [[ -n ${loaded[$1]:-} ]] && return
  loaded[$1]=yes
  # shellcheck disable=SC1090
  source "$root/tools/dev/$1.sh"
}

say() { printf '\n== %s\n' "$*"; }

die() {
  printf './dev: %s\n' "$*" >&2
  exit 1
}

as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "installing Debian packages needs root: run '$*' as root, then ./dev again"
  fi
}

# stamped NAME FILES...: whether step NAME was done with these very files. Mark it with `stamp NAME FILES...`.
stamped() { [[ -f $cache/stamps/$1 && $(<"$cache/stamps/$1") == "$(stamp_of "${@:2}")" ]]; }
stamp() {
  mkdir -p "$cache/stamps"
  stamp_of "${@:2}" >"$cache/stamps/$1"
}
stamp_of() { cat -- "$@" | sha256sum | cut -d' ' -f1; }

jobs() { nproc 2>/dev/null || echo 2; }
