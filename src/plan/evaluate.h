// Values as WGSL expressions: everything that is computed inside the kernel that reads it.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"
#include "plan/schedule.h"
#include "plan/step_code.h"
#include "plan/view_steps.h"

namespace subbyte {

// The names under which a hook knows where it is, and the sizes that they run through, outermost
// first: (b, m, n) of a product, (r, c) of a row kernel, (i) of an element-wise one. An element of
// a value whose shape has the same number of elements is at the same row-major position.
struct Frame {
  struct Coordinate {
    std::string name;
    Expr size;
  };
  std::vector<Coordinate> coordinates;
};

// The value that the kernel itself computes, known to its epilogue under a name.
struct KernelResult {
  ValueId value = kNone;
  std::string name;
  GpuType type = GpuType::f32;
  std::string watch{};  // as Typed's
};

// Where lowering has put values: which tensor holds a value, which weight stores a constant.
struct Placement {
  std::map<ValueId, TensorId> tensors;
  std::map<ValueId, WeightId> weights;
};

// A constant of one element as StepCode::number() or an integer's literal.
std::optional<Typed> scalar_number(StepCode& code, const Tensor& tensor);

class Evaluator;

// An element that a family computes where it is read: `value`, an output of `node`, at `frame` as
// seen through `path`.
struct Element {
  const Node& node;
  ValueId value;
  const Frame& frame;
  const std::vector<ViewStep>& path;
};

class Evaluator {
 public:
  Evaluator(Model& model, const Schedule& schedule, const Placement& placement, StepCode& code,
            Scope& scope, KernelResult result = {})
      : model_(model),
        graph_(model.main()),
        schedule_(schedule),
        placement_(placement),
        code_(code),
        scope_(scope),
        result_(std::move(result)) {}

  // Element `frame` of a value, as seen through `path` (first step first: applied to the value's
  // own shape). Where it was computed under watch, the code that was written raises the run's flag;
  // inside of another element's computation its watch becomes a part of that element's instead.
  Expected<Typed> value(ValueId value, const Frame& frame, const std::vector<ViewStep>& path = {});

  // The same, computed even where the value has a tensor: what the kernel that stores it writes
  // there.
  Expected<Typed> definition(ValueId value, const Frame& frame,
                             const std::vector<ViewStep>& path = {});

  // The row-major position in the buffer for an element of an access.
  std::string address(const Access& access, const Frame& frame);

  // Four consecutive elements along the frame's last coordinate, which is a multiple of 4, as
  // vec4<f32>; nullopt where the value is not a plain view of an f32 tensor whose elements lie so.
  std::optional<std::string> four(ValueId value, const Frame& frame,
                                  const std::vector<ViewStep>& path);

  // The row-major position of an element within its value's own shape, and the same as coordinates
  // through `sizes`, outermost first.
  std::string position(const Element& at);
  std::vector<std::string> coordinates(const Element& at, std::span<const Expr> sizes);

  // What a value is a view of, through any number of views that have no tensor, and the path from
  // there.
  struct Source {
    ValueId value;
    std::vector<ViewStep> path;
  };
  Source behind_views(ValueId value, const std::vector<ViewStep>& path) const;

  // The same evaluator that writes into a function of its own.
  Evaluator inside(Scope& scope) const { return {model_, schedule_, placement_, code_, scope}; }

  // The number of a value whose integers are watched, else 0.
  std::uint32_t watched(ValueId value) const { return schedule_.watched[value]; }
  // For an element that does not need all that it has read: the watch that it returns is the whole
  // of it.
  void forget_watches() { watches_.clear(); }

  Model& model() { return model_; }
  const Graph& graph() const { return graph_; }
  const std::vector<Expr>& shape(ValueId value) const { return *graph_.values[value].shape; }
  StepCode& code() { return code_; }
  Scope& scope() { return scope_; }

 private:
  Expected<Typed> remembered(ValueId value, const Frame& frame, const std::vector<ViewStep>& path);
  // computed(), with the watches of all that it read.
  Expected<Typed> watching(ValueId value, const Frame& frame, const std::vector<ViewStep>& path);
  Expected<Typed> computed(ValueId value, const Frame& frame, const std::vector<ViewStep>& path);
  Typed content(ValueId value, const Frame& frame, const std::vector<ViewStep>& path);
  Typed raised(Typed typed);
  // The node whose computation reads `value` now, for messages.
  std::string describe_reader(ValueId value) const;
  Access through(ValueId value, const std::vector<ViewStep>& path);
  // Read by other kernels from where one has put it.
  bool is_placed(ValueId value) const {
    return placement_.tensors.contains(value) && schedule_.materialized[value];
  }
  // Nothing but another order of what its producer reads.
  bool is_seen_through(ValueId value) const;

  Model& model_;
  Graph& graph_;
  const Schedule& schedule_;
  const Placement& placement_;
  StepCode& code_;
  Scope& scope_;
  KernelResult result_;
  ValueId defining_ = kNone;
  NodeId reader_ = kNone;
  std::size_t depth_ = 0;             // elements whose computation reads others now
  std::vector<std::string> watches_;  // of what the innermost of them has read
  struct Known {
    std::string frame;
    std::vector<ViewStep> path;
    Typed typed;
  };
  std::map<ValueId, std::vector<Known>> known_;
};

// Where element `at` of a Gather's result lies in its data: a position in the axes before the one
// it gathers along, on that axis, and in those after it.
Expected<Frame> gathered(Evaluator& evaluator, const Element& at);

}  // namespace subbyte
