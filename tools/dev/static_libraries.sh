# Libraries of which Debian has no archive, built from Debian's own sources: for programs that carry them.
# shellcheck shell=bash

readonly static_prefix=$cache/static
readonly static_sources=(fmtlib_9.1.0+ds1 highway_1.0.3 libzip_1.7.3)

# Fetches and builds them into .cache/static, once.
static_libraries() {
  stamped static-libraries tools/dev/static_libraries.sh && return
  say "static libraries"
  local folder=$cache/static-sources source
  rm -rf "$folder" "$static_prefix"
  mkdir -p "$folder/lists/partial"
  fetch_sources "$folder"
  for source in "$folder"/*.orig.tar.*; do
    mkdir -p "$folder/$(basename "${source%%_*}")"
    tar xf "$source" -C "$folder/$(basename "${source%%_*}")" --strip-components 1
  done
  build_static fmtlib -DFMT_TEST=OFF -DFMT_DOC=OFF
  build_static highway -DHWY_ENABLE_CONTRIB=OFF -DHWY_ENABLE_EXAMPLES=OFF -DHWY_ENABLE_TESTS=OFF -DBUILD_TESTING=OFF
  # Samples are stored or deflated: no archive of ours is encrypted.
  # arc4random is younger than the C library that is aimed at.
  build_static libzip -DHAVE_ARC4RANDOM=OFF -DENABLE_COMMONCRYPTO=OFF -DENABLE_GNUTLS=OFF -DENABLE_MBEDTLS=OFF -DENABLE_OPENSSL=OFF \
    -DENABLE_BZIP2=OFF -DENABLE_LZMA=OFF -DBUILD_TOOLS=OFF -DBUILD_REGRESS=OFF -DBUILD_EXAMPLES=OFF -DBUILD_DOC=OFF
  stamp static-libraries tools/dev/static_libraries.sh
}

# With lists of its own, so that the system's stay as they are; apt checks them against Debian's keys.
fetch_sources() {
  local folder=$1
  echo 'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main' \
    >"$folder/sources.list"
  local options=(-qq -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update
  (cd "$folder" && apt-get "${options[@]}" source --download-only fmtlib highway libzip)
  local source
  for source in "${static_sources[@]}"; do
    compgen -G "$folder/$source.orig.tar.*" >/dev/null || die "Debian has no source $source; tools/dev/static_libraries.sh names it"
  done
}

build_static() {
  local name=$1 folder=$cache/static-sources
  shift
  cmake -G Ninja -S "$folder/$name" -B "$folder/build-$name" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_INSTALL_PREFIX="$static_prefix" -DCMAKE_INSTALL_LIBDIR=lib "$@" \
    >"$folder/$name.log" 2>&1 || { cat "$folder/$name.log" >&2; die "cmake could not configure $name"; }
  cmake --build "$folder/build-$name" --parallel "$(jobs)" --target install >>"$folder/$name.log" 2>&1 ||
    { cat "$folder/$name.log" >&2; die "$name could not be built"; }
}
