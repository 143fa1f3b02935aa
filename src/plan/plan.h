// The plan: what the runtime executes. docs/plan.md is its format as JSON; this is the same with
// expressions as handles.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "plan/integer_ranges.h"
#include "quantize/stored_weight.h"

namespace subbyte {

using TensorId = std::uint32_t;
using WeightId = std::uint32_t;

// Bytes of what a kernel computes with where nothing else is said (gpu_type() in graph/dtype.h).
inline constexpr std::int64_t kWordBytes = 4;

struct PlanTensor {
  Expr count;
  std::int64_t width = kWordBytes;  // bytes of an element
  std::int64_t first = 0;
  std::int64_t last = 0;
};

struct PlanInput {
  ValueId value = kNone;
  std::optional<TensorId> tensor;
  std::optional<InputRange> range{};  // what its elements must be
};

// From a tensor, from an input passed through, from the value's content (all absent), or, without
// one, from a constant that the GPU's words do not hold.
struct PlanOutput {
  ValueId value = kNone;
  std::optional<TensorId> tensor{};
  std::optional<std::uint32_t> input{};
  ValueId constant = kNone;
};

enum class Part : std::uint8_t { values, scales, zero_points };

struct PlanBinding {
  enum class Kind : std::uint8_t { tensor, weight_part, whole_weight } kind = Kind::tensor;
  std::uint32_t index = 0;   // TensorId or WeightId
  Part part = Part::values;  // of weight_part
  friend bool operator==(const PlanBinding&, const PlanBinding&) = default;
};

struct PlanForm {
  std::optional<Expr> when;
  std::vector<std::string> features;
  std::vector<std::pair<std::string, std::int64_t>> limits;
  std::uint32_t pipeline = 0;
  Expr workgroups;
};

// What a device must have.
struct DeviceNeeds {
  std::vector<std::string> features;
  std::vector<std::pair<std::string, std::int64_t>> limits;
};

struct PlanStep {
  std::string name;    // of the source's node
  Expr guard{};        // it runs where this is not 0: the segments say so
  DeviceNeeds device;  // a device that lacks some of it has no such step
  std::vector<Expr> params;
  std::vector<PlanBinding> bindings;
  std::vector<TensorId> writes;  // of those bound
  bool once = false;             // it runs when the model is loaded, and no more
  std::vector<PlanForm> forms;
  std::optional<WeightId>
      split;  // the weight that may be bound in chunks of its rows, and how many it has
  Expr split_rows;
};

// A size that a run finds out, at most `most` where there is such a bound: a word of a tensor, or,
// without one, the turns of a segment.
struct PlanSymbol {
  Expr symbol;
  std::optional<TensorId> tensor{};
  std::optional<Expr> most{};
  std::uint32_t word = 0;
};

// Steps, or segments, that follow each other without anything being read back, and what is read
// after them: known to all that comes later.
struct PlanSegment {
  std::size_t steps = 0;
  std::vector<PlanSegment> segments{};  // only where there are no steps
  std::vector<PlanSymbol> symbols{};
  std::optional<Expr> when{};    // it is skipped where this is 0
  std::optional<Expr> repeat{};  // how often it runs
  std::optional<PlanSymbol> turn{};
  std::optional<Expr> loop_while{};  // the turn after which this is 0 is the last
  bool once = false;                 // it runs when the model is loaded, and no more
};

// A symbol that is read back after so many steps.
struct PlanRead {
  std::size_t after = 0;
  PlanSymbol symbol;
};

// Steps that run in turns, those from `begin` to before `end`; ones within others come after them.
struct PlanLoop {
  std::size_t begin = 0, end = 0;
  Expr guard{};   // it runs where this is not 0
  Expr repeat{};  // the most turns
  PlanSymbol turn;
  std::optional<Expr> loop_while{};  // the turn after which this is 0 is the last
};

struct PlanPipeline {
  std::vector<std::uint32_t> pieces;
  std::string bindings;
};

// `["first"]` and `["rows"]` of docs/plan.md: symbols that no input can name.
inline constexpr const char* kFirstRow =
    "\x01"
    "first";
inline constexpr const char* kChunkRows =
    "\x01"
    "rows";

struct Plan {
  // The nodes whose integers may leave 32 bits, as messages name them, and the word in which a
  // kernel leaves the number (from 1 on) of one that did.
  std::vector<std::string> watched;
  std::optional<TensorId> flag;
  std::vector<PlanInput> inputs;
  std::vector<PlanOutput> outputs;
  std::vector<PlanTensor> tensors;
  std::vector<StoredWeight> weights;
  // Products that read a packed weight an element at a time, for it is stored along another axis
  // than they sum over: that is slow. The step's name.
  std::vector<std::pair<WeightId, std::string>> read_by_elements;
  std::vector<std::string> pieces;
  std::map<std::uint32_t, std::string> piece_names;  // of library files, for dumps
  std::vector<PlanPipeline> pipelines;
  std::vector<PlanStep> steps;
  std::vector<PlanRead> reads;
  std::vector<PlanLoop> loops;
  std::vector<PlanSegment> segments;  // in the order of the steps, all of which they hold

  static Expr first_row(ExprPool& exprs) {
    return exprs.symbol(Symbol{kFirstRow, {}, 0, INT64_MAX});
  }
  static Expr chunk_rows(ExprPool& exprs) {
    return exprs.symbol(Symbol{kChunkRows, {}, 0, INT64_MAX});
  }
};

}  // namespace subbyte
