# Makes dist/subbyte-linux-x64-VERSION.tgz, the npm package with the native program of this system: the program of the wheel,
# which runs on any system with as new a C library.
# shellcheck shell=bash
load pack_python

pack_native() {
  # Once, where both are asked for.
  [[ -n ${wheel:-} ]] || pack_python
  say "npm package of the native program"
  local folder=$build/packages/native
  rm -rf "$folder"
  mkdir -p "$folder"
  unzip -q "$wheel" 'subbyte/bin/*' 'subbyte/licences/*' -d "$folder"
  node npm/pack_native.mjs "$folder/subbyte/bin/subbyte" "$folder/subbyte/licences" "$root/dist"
  SUBBYTE_NATIVE_PACKAGE=$(ls "$root"/dist/subbyte-*-*-"$(node -p "require('./npm/package.json').version")".tgz) \
    node --test tests/npm/native_package.test.mjs
}
