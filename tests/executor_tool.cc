// Runs an ONNX model through import, the standard passes and the float executor, for tests that
// compare with other runtimes: as run_tool() says, and outputs of floats are float32.
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

}  // namespace
}  // namespace subbyte

int main(int argc, char** argv) { return subbyte::run_tool(argc, argv, subbyte::run_on_files); }
