# Micro-benchmarks of the compiler's own code, and the tables in the documents that need the fetched models.
# shellcheck shell=bash
load build

verb_bench() {
  local what=${1:-} program count=0
  setup_for_build test bench models
  if [[ $what == sizes || $what == choices || $what == recognition ]]; then
    setup_models
    configure release "$build"
    compile "$build"
    python tools/dev/tables.py --measure "$what"
    return
  fi
  if [[ $what == operators ]]; then
    configure release "$build"
    compile "$build"
    python tests/ops/table.py
    return
  fi
  if [[ $what == parts ]]; then
    configure release "$build"
    compile "$build"
    local folder=$build/bench/parts product
    mkdir -p "$folder"
    set -- 4096x64 8192x32 16384x64
    python bench/gpu/make_products.py "$folder" "$@"
    for product; do
      "$build/subbyte" convert "$folder/$product.onnx" --precision float16 --no-check --force
    done
    node bench/gpu/parts_bench.mjs "$folder"/*.webgpu.js
    return
  fi
  if [[ $what == large ]]; then
    configure release "$build"
    compile "$build"
    python bench/large_model.py "$build/subbyte" "$build/bench/large" "${@:2}"
    return
  fi
  if [[ $what == quality ]]; then
    setup_models
    setup_quality
    configure release "$build"
    compile "$build"
    "$cache/quality/venv/bin/python" bench/quality/quality.py "${@:2}"
    return
  fi
  configure release "$build/bench" -DSUBBYTE_BENCHMARKS=ON -DSUBBYTE_TESTS=OFF
  if [[ $what == searches ]]; then
    setup_models
    compile "$build/bench" scale_search
    python tools/dev/tables.py --measure searches
    return
  fi
  if [[ $what == reference ]]; then
    setup_models
    compile "$build/bench" executor_time
    python bench/executor_beside_onnx_runtime.py "$build/bench/bench/executor_time" "${2:-}"
    return
  fi
  if [[ $what == convert ]]; then
    compile "$build/bench" codec_ratio
    "$build/bench/bench/codec_ratio"
    return
  fi
  compile "$build/bench"
  while read -r program; do
    "$program" --benchmark_filter="${what:-.}"
    count=$((count + 1))
  done < <(find "$build/bench" -type f -executable -name '*_bench' | sort)
  [[ $count -gt 0 ]] || die "no benchmark program named *_bench was built"
}

# What the quality benchmark alone needs has an environment of its own. Its models and texts it fetches itself.
setup_quality() {
  local venv=$cache/quality/venv
  stamped quality bench/quality/requirements.txt && [[ -x $venv/bin/python ]] && return
  say "Python packages in .cache/quality/venv"
  [[ -x $venv/bin/python ]] || python3 -m venv "$venv"
  "$venv/bin/python" -m pip install -q --no-input -r bench/quality/requirements.txt
  stamp quality bench/quality/requirements.txt
}
