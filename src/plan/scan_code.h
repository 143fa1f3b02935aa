// Running combinations along lines (kernels/scan.wgsl), in three steps at most however long a line
// is.
#pragma once

#include <functional>
#include <string>

#include "plan/lowering.h"
#include "plan/reduce_code.h"

namespace subbyte {

// For each of `lines`, and each element i of its `length`: what the elements up to it combine to.
struct Scan {
  Accumulator accumulator;
  GpuType type = GpuType::f32;  // of the accumulator
  bool wide = false;            // which is a vec2<u32> instead
  Expr lines, length;
  bool exclusive = false;  // without element i itself
  bool strided = false;    // elements at equal i of neighbouring lines are neighbours in memory
  // The element i of `line` (names of u32 variables of the scope), and the statements that store
  // what `acc` names for it.
  std::function<Expected<Typed>(StepCode&, Scope&, const std::string& line, const std::string& i)>
      load;
  std::function<Expected<void>(StepCode&, Scope&)> store;  // of store(line: u32, i: u32, acc: T)
};

// Appends the steps. Where a line is longer than a segment, the segments are combined first, into a
// tensor of one element each, then what precedes each segment, there in place, and then each
// segment is scanned with it. `load` is evaluated twice there.
Expected<void> add_scan(Lowering& lowering, const std::string& name, const Scan& scan);

}  // namespace subbyte
