// An If whose branches stand in the same graph (graph/branches.h).
#include "reference/call.h"

namespace subbyte::reference {
namespace {

Expected<bool> condition_of(const Call& call) {
  if (call.input(0).dtype != DType::boolean) return wrong_dtype(call, call.input(0).dtype);
  if (call.input(0).elements() != 1)
    return fail("{}: its condition has shape {}; it must have one element", call.node.op_type,
                dims_text(call.input(0).dims));
  return call.input(0).data[0] != std::byte{0};
}

}  // namespace

Result reference_decide(const Call& call) {
  SUBBYTE_TRY(const bool holds, condition_of(call));
  Tensor condition = make_tensor(DType::boolean, {}, {holds ? std::byte{1} : std::byte{0}});
  return std::vector<Tensor>{call.input(0), std::move(condition)};
}

Result reference_merge(const Call& call) {
  SUBBYTE_TRY(const bool holds, condition_of(call));
  const std::size_t side = holds ? 1 : 2;
  if (!call.has(side))
    return fail("{}: input {} is absent; its condition asks for it", call.node.op_type, side);
  return one(call.input(side));
}

Result reference_read_back(const Call& call) {
  return std::vector<Tensor>{call.input(0), call.input(0)};
}

}  // namespace subbyte::reference
