// Lines of elements in order of keys (kernels/sort_short.wgsl, sort_count.wgsl, sort_move.wgsl),
// equal ones in order of their places: by exchanges within a workgroup, or four bits of the keys at
// a time, in time that grows with the elements.
#pragma once

#include <functional>
#include <string>

#include "plan/lowering.h"

namespace subbyte {

struct Sort {
  Expr lines, length;
  Expr kept;  // of each line, the first ones
  // The key of element i of `line`, names of u32 variables of the scope, as u32.
  std::function<Expected<std::string>(StepCode&, Scope&, const std::string& line,
                                      const std::string& i)>
      key;
  // The statements that store that `place` is the element of that rank in `line`.
  std::function<Expected<void>(StepCode&, Scope&, const std::string& line, const std::string& rank,
                               const std::string& place)>
      store;
};

// The kernels that call `key` or `store` bind two tensors beside those that these bind.
Expected<void> add_sort(Lowering& lowering, const std::string& name, const Sort& sort);

// A u32 that is less where a value is less, or where it is greater; a NaN is greater than all
// others.
std::string sort_key(StepCode& code, const Typed& value, bool greatest_first);

}  // namespace subbyte
