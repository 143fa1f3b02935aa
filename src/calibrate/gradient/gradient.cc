#include "calibrate/gradient/gradient.h"

#include "graph/node_form.h"
#include "graph/ops.h"

namespace subbyte::calibrate {

Gradient gradient_of(const Node& node) {
  switch (node.op) {
    case Op::Abs:
    case Op::Acos:
    case Op::Asin:
    case Op::Asinh:
    case Op::Atan:
    case Op::Atanh:
    case Op::Celu:
    case Op::Cos:
    case Op::Cosh:
    case Op::Elu:
    case Op::Erf:
    case Op::Exp:
    case Op::Gelu:
    case Op::HardSigmoid:
    case Op::HardSwish:
    case Op::LeakyRelu:
    case Op::Log:
    case Op::Mish:
    case Op::Neg:
    case Op::Reciprocal:
    case Op::Relu:
    case Op::Selu:
    case Op::Sigmoid:
    case Op::Sin:
    case Op::Sinh:
    case Op::Softplus:
    case Op::Softsign:
    case Op::Sqrt:
    case Op::Tan:
    case Op::Tanh:
    case Op::ThresholdedRelu:
      return unary_gradient;
    case Op::Ceil:
    case Op::Floor:
    case Op::Round:
    case Op::Sign:
      return no_gradient;

    case Op::Add:
    case Op::Div:
    case Op::Mul:
    case Op::Pow:
    case Op::PRelu:
    case Op::Sub:
      return binary_gradient;
    case Op::Max:
    case Op::Mean:
    case Op::Min:
    case Op::Sum:
      return variadic_gradient;
    case Op::Clip:
      return clip_gradient;

    case Op::Cast:
    case Op::Flatten:
    case Op::Identity:
    case Op::Reshape:
    case Op::Squeeze:
    case Op::Unsqueeze:
      return same_gradient;
    case Op::Slice:
    case Op::Split:
    case Op::Transpose:
      return view_gradient;
    case Op::Gather:
      return gather_gradient;
    case Op::Concat:
    case Op::DepthToSpace:
    case Op::Expand:
    case Op::GatherElements:
    case Op::GatherND:
    case Op::Pad:
    case Op::ReverseSequence:
    case Op::SpaceToDepth:
    case Op::Tile:
    case Op::Trilu:
    case Op::Where:
      return moved_gradient;
    case Op::ScatterElements:
    case Op::ScatterND:
      return node.string_or("reduction", "none") == "none" ? moved_gradient : nullptr;
    case Op::Resize:
      return node.string_or("mode", "nearest") == "nearest" ? moved_gradient : nullptr;

    case Op::Gemm:
    case Op::MatMul:
      return sums_integers(node) ? nullptr : product_gradient;
    case Op::Conv:
      return sums_integers(node) ? nullptr : conv_gradient;
    case Op::ConvTranspose:
      return conv_transpose_gradient;
    case Op::AveragePool:
    case Op::MaxPool:
      return pool_gradient;

    case Op::ReduceL1:
    case Op::ReduceL2:
    case Op::ReduceLogSum:
    case Op::ReduceLogSumExp:
    case Op::ReduceMax:
    case Op::ReduceMean:
    case Op::ReduceMin:
    case Op::ReduceSum:
    case Op::ReduceSumSquare:
      return reduce_gradient;
    case Op::LogSoftmax:
    case Op::Softmax:
      return softmax_gradient;
    case Op::LayerNormalization:
    case Op::RMSNormalization:
      return normalization_gradient;
    default:
      return nullptr;
  }
}

}  // namespace subbyte::calibrate
