#include "calibrate/forms.h"

#include <cmath>
#include <cstring>

#include "graph/node_form.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

bool is_product(Op op) { return op == Op::MatMul || op == Op::Gemm; }

using Form = Result (*)(const Call&, Machine&);

// nullptr: the reference alone knows the operator.
Form form_of(Op op) {
  switch (op) {
    case Op::Conv:
      return conv_form;
    case Op::ConvTranspose:
      return conv_transpose_form;
    case Op::AveragePool:
    case Op::LpPool:
    case Op::MaxPool:
      return pool_form;

    case Op::Cast:
      return cast_form;
    case Op::Abs:
    case Op::Acos:
    case Op::Acosh:
    case Op::Asin:
    case Op::Asinh:
    case Op::Atan:
    case Op::Atanh:
    case Op::Ceil:
    case Op::Celu:
    case Op::Cos:
    case Op::Cosh:
    case Op::Elu:
    case Op::Erf:
    case Op::Exp:
    case Op::Floor:
    case Op::Gelu:
    case Op::HardSigmoid:
    case Op::HardSwish:
    case Op::LeakyRelu:
    case Op::Log:
    case Op::Mish:
    case Op::Neg:
    case Op::Reciprocal:
    case Op::Relu:
    case Op::Round:
    case Op::Selu:
    case Op::Sigmoid:
    case Op::Sign:
    case Op::Sin:
    case Op::Sinh:
    case Op::Softplus:
    case Op::Softsign:
    case Op::Sqrt:
    case Op::Tan:
    case Op::Tanh:
    case Op::ThresholdedRelu:
      return unary_form;
    case Op::Add:
    case Op::Div:
    case Op::Mul:
    case Op::Pow:
    case Op::PRelu:
    case Op::Sub:
      return binary_form;
    case Op::Equal:
    case Op::Greater:
    case Op::GreaterOrEqual:
    case Op::Less:
    case Op::LessOrEqual:
      return compare_form;
    case Op::Max:
    case Op::Mean:
    case Op::Min:
    case Op::Sum:
      return variadic_form;
    case Op::Clip:
      return clip_form;
    case Op::Where:
      return where_form;

    case Op::LogSoftmax:
    case Op::Softmax:
      return softmax_form;
    case Op::LayerNormalization:
    case Op::RMSNormalization:
      return normalization_form;
    case Op::ReduceL1:
    case Op::ReduceL2:
    case Op::ReduceLogSum:
    case Op::ReduceLogSumExp:
    case Op::ReduceMax:
    case Op::ReduceMean:
    case Op::ReduceMin:
    case Op::ReduceSum:
    case Op::ReduceSumSquare:
      return reduce_form;

    case Op::GRU:
    case Op::LSTM:
    case Op::RNN:
      return recurrent_form;

    case Op::Concat:
      return concat_form;
    case Op::Expand:
      return expand_form;
    case Op::Gather:
      return gather_form;
    case Op::Slice:
      return slice_form;
    case Op::Split:
      return split_form;
    case Op::Transpose:
      return transpose_form;
    default:
      return nullptr;
  }
}

}  // namespace

namespace {

// Sums of whole numbers, which are floats here, as the int32 that they are.
Outputs whole(const Call& call, Outputs outputs) {
  if (!sums_integers(call.node) || outputs.empty()) return outputs;
  const Tensor& sums = outputs.front();
  std::vector<std::byte> bytes(sums.data.size());
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(float)) {
    float sum = 0;
    std::memcpy(&sum, sums.data.data() + at, sizeof(sum));
    const auto integer = reference::saturate<std::int32_t>(std::nearbyint(sum));
    std::memcpy(bytes.data() + at, &integer, sizeof(integer));
  }
  return {make_tensor(DType::int32, sums.dims, std::move(bytes))};
}

}  // namespace

Result evaluate_by_form(const Call& call, Machine& machine) {
  if (is_product(call.node.op)) {
    SUBBYTE_TRY(std::vector<Outputs> results, product_form(Calls(&call, 1), machine));
    return whole(call, std::move(results.front()));
  }
  const Form form = form_of(call.node.op);
  if (form == nullptr) return Outputs();
  SUBBYTE_TRY(Outputs outputs, form(call, machine));
  return whole(call, std::move(outputs));
}

Expected<std::vector<Outputs>> evaluate_node(Calls calls, Machine& machine) {
  std::vector<Outputs> results(calls.size());
  if (calls.empty()) return results;
  for (const Call& call : calls) SUBBYTE_CHECK_OK(reference::check_call(call));
  const bool together = is_product(calls[0].node.op);
  if (together) {
    SUBBYTE_TRY(results, product_form(calls, machine));
  }
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (together) {
      results[i] = whole(calls[i], std::move(results[i]));
    } else {
      SUBBYTE_TRY(results[i], evaluate_by_form(calls[i], machine));
    }
    if (!results[i].empty()) continue;
    SUBBYTE_TRY(results[i],
                reference::evaluate(calls[i].node, calls[i].inputs, calls[i].max_bytes));
  }
  return results;
}

}  // namespace subbyte::calibrate
