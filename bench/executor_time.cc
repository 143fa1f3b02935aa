// How long the float executor takes for a model.
//
//   executor_time MODEL.onnx INPUTS THREADS RUNS
//
// INPUTS is a folder of tensor files as tests/tensor_files.h describes. Prints the milliseconds of
// each run, one a line, after one that does not count.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "../tests/tensor_files.h"
#include "calibrate/executor.h"

namespace subbyte {
namespace {

Expected<void> time_runs(const std::string& path, const std::string& folder, unsigned threads,
                         int runs) {
  SUBBYTE_TRY(const Model model, read_standard_model(path));
  SUBBYTE_TRY(const Sample sample, read_inputs(model, folder));
  ExecuteOptions options;
  options.threads = threads;
  for (int run = 0; run <= runs; ++run) {
    const auto start = std::chrono::steady_clock::now();
    SUBBYTE_CHECK_OK(execute(model, std::span(&sample, 1), options));
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    if (run > 0) fmt::print("{:.3f}\n", took.count());
  }
  return {};
}

int main_of(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: executor_time MODEL.onnx INPUTS THREADS RUNS\n");
    return 2;
  }
  const auto done =
      time_runs(argv[1], argv[2], static_cast<unsigned>(std::atoi(argv[3])), std::atoi(argv[4]));
  if (!done) fmt::print(stderr, "{}\n", done.error().message);
  return done ? 0 : 1;
}

}  // namespace
}  // namespace subbyte

int main(int argc, char** argv) { return subbyte::main_of(argc, argv); }
