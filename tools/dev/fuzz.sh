# Builds the fuzz targets with clang and runs each for so many seconds. What they find stays in .cache/fuzz.
# shellcheck shell=bash
load build

verb_fuzz() {
  local seconds=${1:-60} folder=$build/fuzz target name count=0
  [[ $seconds =~ ^[0-9]+$ ]] || die "fuzz takes a number of seconds, not '$seconds'"
  setup_for_build check
  configure release "$folder" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=clang-14 \
    -DCMAKE_CXX_COMPILER=clang++-14 -DSUBBYTE_FUZZERS=ON -DSUBBYTE_TESTS=OFF -DSUBBYTE_SANITIZE=address,undefined
  compile "$folder" fuzzers
  while read -r target; do
    name=$(basename "$target")
    say "fuzz $name for $seconds s"
    mkdir -p "$cache/fuzz/$name/corpus" "$cache/fuzz/$name/seeds"
    case $name in
      text_fuzz) ;;
      data_fuzz) "$folder/tests/fuzz/data_seeds" "$cache/fuzz/$name/seeds" ;;
      *) "$folder/tests/fuzz/import_seeds" "$cache/fuzz/$name/seeds" ;;
    esac
    # What it finds (crash-*, timeout-*, oom-*) lands in its folder.
    (cd "$cache/fuzz/$name" && "$target" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=4096 \
      -malloc_limit_mb=2048 -print_final_stats=1 -verbosity=0 corpus seeds)
    count=$((count + 1))
  done < <(find "$folder" -type f -executable -name '*_fuzz' | sort)
  [[ $count -gt 0 ]] || die "no target named *_fuzz was built"
  say "$count fuzz targets ran for $seconds s each and found nothing"
}
