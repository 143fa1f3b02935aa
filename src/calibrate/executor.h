// Runs the float model on samples: for calibration, and for what quantization does to the outputs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// One tensor for each input of the model, in their order.
using Sample = std::vector<Tensor>;

struct ExecuteOptions {
  unsigned threads = 0;  // 0: as many as the machine has cores
  // Bytes that the activations of the samples at work together may take. Samples that would take
  // more go one batch after the other, each of which reads the weights again; one sample alone may
  // take any number.
  std::int64_t memory = std::int64_t{2} << 30;
  // Of an Execution that nobody asks for its outputs: they are kept no longer than other values.
  bool wants_outputs = true;
  // Of an Execution: no value is freed, so that gradients find what each node read and gave.
  bool keeps_values = false;
  // Asked before each node; true ends the run with an error of that kind.
  std::function<bool()> cancelled{};
  // Sees the inputs of each node on each sample before it is computed, nullptr where one is absent,
  // floats as float32. Called in order of the nodes, and for each of the samples of a batch, on the
  // caller's thread.
  std::function<void(NodeId node, std::size_t sample, std::span<const Tensor* const> inputs)>
      observe{};
  // A tensor of floats in place of a constant, of its shape; nullopt to leave it. Asked once in
  // each batch, before the first node that reads the constant; kept until the last has.
  std::function<Expected<std::optional<Tensor>>(ValueId constant)> replace{};
};

// The outputs of the main graph, in canonical form, for each sample. All floats are computed, and
// given, as float32, whatever float dtype the model says, as on the GPU; integers and bools as the
// model says. Node by node over all samples of a batch, so that each weight is read once.
//
// The same bits on every machine, with any number of threads and in any company of samples, but for
// the sign and payload of a NaN, and powers of integers to floats. An operator without a form of
// its own here runs through reference::evaluate. Inputs that do not fit the model are errors, as is
// what the reference refuses.
Expected<std::vector<std::vector<Tensor>>> execute(const Model& model,
                                                   std::span<const Sample> samples,
                                                   const ExecuteOptions& options = {});

// A run that its caller takes from node to node, so that several go side by side through one
// network: what quantization changes in a layer is seen against the float model's, with the layers
// before it quantized already. All samples are one batch, whatever options.memory says; the model
// and the samples outlive it. `replace` is asked for a constant when step() first comes to a node
// that reads it.
class Execution {
 public:
  // Sample inputs that do not fit the model are errors.
  static Expected<Execution> begin(const Model& model, std::span<const Sample> samples,
                                   ExecuteOptions options = {});
  Execution(Execution&&) noexcept;
  ~Execution();

  // A run of its own that goes on from here: what was computed so far is shared, constants are
  // asked for anew.
  Execution fork(ExecuteOptions options) const;

  // What was computed so far, without the threads of the run and memory that lies idle.
  class Values;
  std::shared_ptr<const Values> values() const;
  // A run of the same samples that goes on from there, with threads of its own.
  static Execution resume(const Model& model, std::span<const Sample> samples, const Values& values,
                          ExecuteOptions options);

  // The node that step() computes next; as many as the graph has when all are done.
  NodeId next() const;
  Expected<void> step();
  // A value on each sample: empty unless a node that was computed gave it and one that is to come
  // reads it. What is written there is what those read, of the same dtype and shape.
  std::span<Tensor> value(ValueId value);
  // With keeps_values: what a node that was computed read as its input `i` on a sample, a constant
  // as it was replaced; nullptr where it is absent.
  Expected<const Tensor*> input(NodeId node, std::size_t i, std::size_t sample);
  // Of each sample, after the last node.
  Expected<std::vector<std::vector<Tensor>>> outputs();

 private:
  class State;
  explicit Execution(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace subbyte
