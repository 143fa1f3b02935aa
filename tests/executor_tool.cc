// Runs an ONNX model through import, the standard passes and the float executor, for tests that
// compare with other runtimes: arguments, files and exit status are those of reference_tool.cc, and
// outputs of floats are float32.
#include <cstdio>

#include "calibrate/executor.h"
#include "tensor_files.h"

namespace subbyte {
namespace {

Expected<void> run_on_files(const Model& model, const std::string& inputs,
                            const std::string& outputs) {
  SUBBYTE_TRY(const Sample sample, read_inputs(model, inputs));
  SUBBYTE_TRY(const auto results, execute(model, std::span(&sample, 1)));
  return write_outputs(results.front(), outputs);
}

int report(const Error& error, int status) {
  fmt::print(stderr, "{}\n", error.message);
  return status;
}

int main_of(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: subbyte_executor_tool MODEL.onnx INPUTS OUTPUTS\n");
    return 2;
  }
  const auto model = read_standard_model(argv[1]);
  if (!model) return report(model.error(), 3);
  const auto done = run_on_files(*model, argv[2], argv[3]);
  return done ? 0 : report(done.error(), 1);
}

}  // namespace
}  // namespace subbyte

int main(int argc, char** argv) { return subbyte::main_of(argc, argv); }
