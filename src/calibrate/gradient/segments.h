// Reverse mode in little memory: a run keeps only what crosses a few places of the graph, and on
// the way back what lies between two of them is computed once more (Chen, Xu, Zhang, Guestrin:
// "Training Deep Nets with Sublinear Memory Cost", 2016; Griewank and Walther, "Evaluating
// Derivatives", 2008, chapter 12).
#pragma once

#include <functional>
#include <vector>

#include "calibrate/gradient/backward.h"

namespace subbyte::calibrate {

// The nodes at which the segments of a graph begin, the first 0, rising.
using Segments = std::vector<NodeId>;

// Of one sample: the values that cross from one segment to another, and those of the largest
// segment, as a run that goes back over them holds them. Those whose shape is not known until they
// are computed count as nothing.
std::int64_t segment_bytes(const Model& model, const Sample& sample, const Segments& segments);

// The segments of fewest of these bytes, about: cut where least crosses, for segments of several
// sizes, the largest of which is the whole graph.
Segments cut_into_segments(const Model& model, const Sample& sample);

// A run of all nodes, then back over them.
class SegmentedRun {
 public:
  // Samples that do not fit the model are errors.
  static Expected<SegmentedRun> run(const Model& model, std::span<const Sample> samples,
                                    const ExecuteOptions& options, const Segments& segments);

  // With all values of the last segment, so long as nothing has gone back.
  Execution& last() { return parts_.back(); }

  // Adds to `into`, where a constant has no entry to one of zeros; `finished` is told of each of
  // way.constants() once nothing more is added, and may erase its entry. The same bits however the
  // graph was cut.
  Expected<void> back(const Backward& way, LostOutputs lost, ConstantGradients& into,
                      Machine& machine, const std::function<void(ValueId)>& finished = {});

 private:
  explicit SegmentedRun(const Model& model, const Segments& segments)
      : model_(model), segments_(segments) {}

  const Model& model_;
  Segments segments_;
  std::vector<Execution> parts_;  // each where its segment begins, the last one at its end
};

}  // namespace subbyte::calibrate
