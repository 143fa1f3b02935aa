// The constants of a model as the executor computes with them.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte::calibrate {

// Floats of any width as aligned float32; other dtypes as they are.
Tensor as_float32(Tensor tensor);

// Whether the operator only picks from input `i`, so that it need not be converted as a whole.
bool reads_any_dtype(const Node& node, std::size_t i);

class Constants {
 public:
  using Replace = std::function<Expected<std::optional<Tensor>>(ValueId)>;
  Constants(const Graph& graph, const Replace& replace) : graph_(graph), replace_(replace) {}

  // nullptr for what is not constant. `any_dtype` gives it in its own dtype unless it was replaced.
  Expected<const Tensor*> find(ValueId value, bool any_dtype);
  // It is not read any more.
  void drop(ValueId value) { ready_.erase(value); }

 private:
  const Graph& graph_;
  const Replace& replace_;
  // What was replaced, and what was converted where it had to be.
  struct Ready {
    std::optional<Tensor> replaced;
    std::optional<Tensor> converted;
  };
  std::unordered_map<ValueId, Ready> ready_;
};

}  // namespace subbyte::calibrate
