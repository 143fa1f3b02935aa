// BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot and BitShift.
#include <limits>

#include "graph/ops.h"
#include "reference/call.h"

namespace subbyte::reference {
namespace {

// By as many bits as the type has, or more, nothing is left; of a negative number the sign is.
template <typename T>
T shifted(T a, T b, bool left) {
  constexpr int kBits = std::numeric_limits<std::make_unsigned_t<T>>::digits;
  const bool all = b < T{0} || b >= T{kBits};
  const auto bits = static_cast<std::make_unsigned_t<T>>(a);
  if (left) return all ? T{0} : static_cast<T>(static_cast<std::uint64_t>(bits) << b);
  if (all) return a < T{0} ? static_cast<T>(-1) : T{0};
  return static_cast<T>(a >> b);
}

template <typename T>
T apply(const Node& node, T a, T b) {
  switch (node.op) {
    case Op::BitwiseAnd:
      return static_cast<T>(a & b);
    case Op::BitwiseOr:
      return static_cast<T>(a | b);
    case Op::BitwiseXor:
      return static_cast<T>(a ^ b);
    case Op::BitwiseNot:
      return static_cast<T>(~a);
    default:
      return shifted(a, b, node.string_or("direction", "") == "LEFT");
  }
}

}  // namespace

Result reference_bitwise(const Call& call) {
  const DType dtype = call.input(0).dtype;
  const bool binary = call.inputs.size() > 1;
  Dims dims = call.input(0).dims;
  if (binary) {
    if (call.input(1).dtype != dtype)
      return fail("{}: its inputs are {} and {}; they must have one dtype", call.node.op_type,
                  dtype_name(dtype), dtype_name(call.input(1).dtype));
    SUBBYTE_TRY(dims, broadcast_dims(call, dims, call.input(1).dims));
  }
  SUBBYTE_TRY(const Tensor a, broadcast_to(call, call.input(0), dims));
  SUBBYTE_TRY(const Tensor b, broadcast_to(call, call.input(binary ? 1 : 0), dims));
  SUBBYTE_TRY(auto bytes, allocate(call, dtype, dims));
  const bool known = with_integers(dtype, [&]<typename T>(T) {
    for (std::int64_t i = 0; i < a.elements(); ++i)
      elements_of<T>(bytes)[i] = apply(call.node, element<T>(a, i), element<T>(b, i));
  });
  if (!known) return wrong_dtype(call, dtype);
  return one(make_tensor(dtype, std::move(dims), std::move(bytes)));
}

}  // namespace subbyte::reference
