# Makes dist/subbyte-VERSION.tgz, the npm package: the compiler as WebAssembly, its interface and the plugins for bundlers.
# shellcheck shell=bash
load build

# Zig, whose clang and libraries compile for WebAssembly, from PyPI.
readonly zig_version=0.17.1

pack_npm() {
  setup_for_build
  setup_zig
  build_wasm
  say "npm package"
  node npm/pack.mjs "$build/wasm/subbyte-small.wasm" "$root/dist"
  packed=$root/dist/subbyte-$(node -p "require('./npm/package.json').version").tgz
}

setup_zig() {
  local folder=$cache/zig-$zig_version
  [[ -x $folder/ziglang/zig ]] && return
  say "Zig $zig_version in .cache"
  rm -rf "$folder"
  "$venv/bin/python" -m pip install -q --no-input --no-deps --target "$folder" "ziglang==$zig_version"
}

build_wasm() {
  say "compiler as WebAssembly"
  export ZIG_GLOBAL_CACHE_DIR=$cache/zig-$zig_version/cache
  configure wasm "$build/wasm" -DSUBBYTE_ZIG="$cache/zig-$zig_version/ziglang/zig"
  compile "$build/wasm" subbyte
  # What a compiler of one file at a time leaves: a tenth of the bytes; and what would only be done after a trap: another fiftieth.
  # Functions stay in the order of the sources: ordered by their callers they take 19 kB more once they are compressed.
  local small=$build/wasm/subbyte-small.wasm
  [[ $small -nt $build/wasm/subbyte.wasm && $small -nt tools/dev/pack_npm.sh && $small -nt package-lock.json ]] ||
    "$root/node_modules/.bin/wasm-opt" -Oz --traps-never-happen --skip-pass=reorder-functions \
      --enable-simd --enable-bulk-memory --enable-bulk-memory-opt \
      --enable-nontrapping-float-to-int --enable-sign-ext --enable-exception-handling --enable-mutable-globals \
      --enable-multivalue --enable-reference-types "$build/wasm/subbyte.wasm" -o "$small"
}
