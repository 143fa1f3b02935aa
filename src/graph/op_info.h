// What the operator table says of each operator: one row of graph/ops.def as data. The names of the
// operators themselves, Op::Relu and so on, are in graph/ops.h, so that a new row recompiles only
// what names operators.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "graph/family_info.h"

namespace subbyte {

enum class Op : std::uint16_t;

// The dtypes that the data inputs of an operator may have: F, N, B, I and A of ops.def.
enum class DTypeClass : char { F = 'F', N = 'N', B = 'B', I = 'I', A = 'A' };

struct OpInfo {
  Op op;
  std::string_view name;
  std::string_view domain;
  std::int64_t since;
  std::uint32_t inputs_min, inputs_max, outputs_max;
  DTypeClass dtypes;
  ShapeRule infer;
  Family lower;
};

const OpInfo& op_info(Op op);  // op != Op::Unknown
// Whether a node has all of its outputs, read or not: where their number says what is computed,
// where nothing is known of them, and where the specification makes none of them optional.
bool keeps_outputs(Op op);
const FamilyInfo& family_of(Op op);  // of Op::Unknown: that of role none
// Operators that pass on elements of input 0 under another shape or order.
bool is_view(Op op);
// Those of them that pass on each element once, and those that also keep the order.
bool keeps_elements(Op op);
bool keeps_order(Op op);
// Op::Unknown when the table has no such row.
Op find_op(std::string_view domain, std::string_view name);
std::size_t op_count();  // rows; row i is op_info(static_cast<Op>(i + 1))

}  // namespace subbyte
