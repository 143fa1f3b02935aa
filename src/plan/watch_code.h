// 64-bit integers that may leave 32 bits, computed under watch: beside the value goes a u32 that
// says whether it is right (Typed::watch). What a Where leaves out is not missed; what a kernel
// stores, or sums, raises the run's flag.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "plan/evaluate.h"
#include "plan/reduce_code.h"
#include "plan/scalar_wgsl.h"

namespace subbyte {

// Where the condition `leaves` holds, `number`.
std::string raised_watch(std::uint32_t number, const std::string& leaves);
// Of a value that is computed from two, and of one that is one of two.
std::string either_watch(const std::string& a, const std::string& b);
std::string selected_watch(const std::string& condition, const std::string& then,
                           const std::string& otherwise);

// Gives the result of an element-wise node its own watch, if it has one.
void watch_scalar(Evaluator& evaluator, const Element& element,
                  std::span<const std::optional<ScalarArgument>> arguments, Typed& result);

// How 64-bit integers are joined so that the result is right or known to have left 32 bits.
struct WatchedJoining {
  Accumulator accumulator;
  std::string load;    // of the element {0}
  std::string finish;  // the element that the accumulator {0} is
  std::string leaves;  // a condition of {0}
};
enum class Joined : std::uint8_t { sum, magnitudes, squares, product };
WatchedJoining watched_joining(Joined joined, GpuType type);
// The element that the accumulator `name` is, with its watch.
Typed joined_value(const WatchedJoining& joining, GpuType type, std::uint32_t number,
                   const std::string& name);

}  // namespace subbyte
