// Gradients of what only moves elements: what an output loses, the element that it was loses.
#include <cstring>
#include <numeric>

#include "calibrate/forms.h"
#include "calibrate/gradient/gradient.h"
#include "calibrate/strided.h"
#include "graph/ops.h"
#include "reference/view.h"

namespace subbyte::calibrate {
namespace {

// Which inputs' elements a node moves; the others say where.
bool is_moved(Op op, std::size_t input) {
  switch (op) {
    case Op::Concat:
      return true;
    case Op::Where:
      return input == 1 || input == 2;
    case Op::Pad:
    case Op::ScatterElements:
    case Op::ScatterND:
      return input == 0 || input == 2;
    default:
      return input == 0;
  }
}

Tensor numbered(const Dims& dims, std::int64_t first) {
  std::vector<std::int32_t> numbers(
      static_cast<std::size_t>(reference::product(dims, 0, dims.size())));
  std::iota(numbers.begin(), numbers.end(), static_cast<std::int32_t>(first));
  std::vector<std::byte> bytes(numbers.size() * sizeof(std::int32_t));
  if (!bytes.empty()) std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return make_tensor(DType::int32, dims, std::move(bytes));
}

// into[offset of each element of the view] += found, which has the view's shape.
void add_view(const float* found, const reference::View& view, float* into, Machine& machine) {
  if (reference::product(view.dims, 0, view.dims.size()) == 0) return;
  const Walk walk = make_walk(view.dims, {view.strides, reference::strides_of(view.dims)});
  for_pieces(walk, 1, machine,
             [&](std::span<const std::int64_t> at, std::int64_t first, std::int64_t count) {
               float* const to = into + view.offset + at[0];
               for (std::int64_t i = 0; i < count; ++i) to[i * walk.step(0)] += found[first + i];
             });
}

}  // namespace

Expected<void> view_gradient(const GradientCall& call, Machine& machine) {
  std::vector<reference::View> views;
  const Call plain = call.call();
  if (call.node.op == Op::Split) {
    SUBBYTE_TRY(views, split_views(plain));
  } else if (call.node.op == Op::Slice) {
    SUBBYTE_TRY(views.emplace_back(), slice_view(plain));
  } else {
    SUBBYTE_TRY(views.emplace_back(), transpose_view(plain));
  }
  for (std::size_t i = 0; i < views.size() && i < call.lost.size(); ++i)
    if (call.lost[i] != nullptr) add_view(call.lost[i], views[i], call.into[0], machine);
  return {};
}

Expected<void> gather_gradient(const GradientCall& call, Machine& machine) {
  const Tensor& data = call.input(0);
  SUBBYTE_TRY(const std::size_t axis, axis_of(call.call(), data.dims.size()));
  const auto indices = integer_values(call.input(1));
  if (!indices) return fail("the indices of a Gather are no integers");
  const std::int64_t length = data.dims[axis];
  const std::int64_t inner = reference::product(data.dims, axis + 1, data.dims.size());
  const std::int64_t outer = reference::product(data.dims, 0, axis);
  const auto count = static_cast<std::int64_t>(indices->size());
  // Pieces of the inner axes, so that no two threads meet in one element.
  constexpr std::int64_t kPiece = 64;
  const std::int64_t pieces = (inner + kPiece - 1) / kPiece;
  machine.share(pieces, static_cast<double>(outer * count) * static_cast<double>(inner),
                [&](std::int64_t piece) {
                  const std::int64_t first = piece * kPiece, end = std::min(inner, first + kPiece);
                  for (std::int64_t o = 0; o < outer; ++o) {
                    for (std::int64_t j = 0; j < count; ++j) {
                      std::int64_t index = (*indices)[static_cast<std::size_t>(j)];
                      if (index < 0) index += length;
                      float* const to = call.into[0] + (o * length + index) * inner;
                      const float* const from = call.lost[0] + (o * count + j) * inner;
                      for (std::int64_t i = first; i < end; ++i) to[i] += from[i];
                    }
                  }
                });
  return {};
}

// Moves the numbers of the elements, from 1 on (0 is none of them: padding, what a Trilu clears),
// to learn which element each output is.
Expected<void> moved_gradient(const GradientCall& call, Machine& machine) {
  std::vector<Tensor> numbers(call.inputs.size());
  std::vector<std::int64_t> firsts(call.inputs.size(), 0);
  std::vector<const Tensor*> inputs(call.inputs.begin(), call.inputs.end());
  std::int64_t next = 1;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!call.has(i) || !is_moved(call.node.op, i)) continue;
    const bool wanted = call.wants(i);
    firsts[i] = next;
    const std::int64_t count = call.input(i).elements();
    if (next > INT32_MAX - count) return fail("it moves too many elements for their gradients");
    if (wanted) {
      numbers[i] = numbered(call.input(i).dims, next);
      next += count;
    } else {
      numbers[i] = make_tensor(
          DType::int32, call.input(i).dims,
          std::vector<std::byte>(static_cast<std::size_t>(count) * sizeof(std::int32_t)));
    }
    inputs[i] = &numbers[i];
  }
  const Call moving{call.node, inputs, reference::kMaxTensorBytes};
  SUBBYTE_TRY(const auto moved, evaluate_node(Calls(&moving, 1), machine));
  for (std::size_t o = 0; o < call.lost.size(); ++o) {
    if (call.lost[o] == nullptr) continue;
    const Tensor& from = moved[0][o];
    if (from.dtype != DType::int32) return fail("it gives other elements than it takes");
    for (std::int64_t e = 0; e < from.elements(); ++e) {
      std::int32_t number = 0;
      std::memcpy(&number, from.data.data() + e * 4, sizeof(number));
      if (number == 0) continue;
      std::size_t input = 0;
      for (std::size_t i = 0; i < inputs.size(); ++i)
        if (call.wants(i) && firsts[i] > 0 && firsts[i] <= number) input = i;
      call.into[input][number - firsts[input]] += call.lost[o][e];
    }
  }
  return {};
}

}  // namespace subbyte::calibrate
