// Windows of signals, and the bands of the mel scale: tensors made of a few numbers.
#include <algorithm>
#include <cmath>

#include "base/scalar_math.h"
#include "graph/ops.h"
#include "passes/spell/spell.h"
#include "passes/spell/turn.h"
#include "reference/element.h"

namespace subbyte {
namespace {

// A sum of cosines: `weights[i]` is that of i turns over the window.
struct Cosines {
  std::vector<double> weights;
};

Cosines cosines_of(Op op) {
  switch (op) {
    case Op::HammingWindow:
      return {{25.0 / 46.0, -21.0 / 46.0}};
    case Op::BlackmanWindow:
      return {{0.42, -0.5, 0.08}};
    default:
      return {{0.5, -0.5}};
  }
}

// Larger ones are computed when the module runs.
constexpr std::int64_t kLongestTable = 1 << 20;

Tensor table_of(const Cosines& cosines, DType dtype, std::int64_t size, bool periodic) {
  std::vector<double> values(static_cast<std::size_t>(size));
  const std::int64_t whole = periodic ? size : size - 1;
  for (std::int64_t i = 0; i < size; ++i) {
    double sum = 0;
    // One sample alone has no next one; ONNX leaves it undefined.
    for (std::size_t turn = 0; turn < cosines.weights.size(); ++turn)
      sum +=
          cosines.weights[turn] * direction_of(whole == 0 ? 0 : static_cast<std::int64_t>(turn) * i,
                                               std::max<std::int64_t>(whole, 1))
                                      .cosine;
    values[static_cast<std::size_t>(i)] = sum;
  }
  return reference::tensor_from(dtype, {size}, values);
}

// The same of a size that a run knows.
ValueId computed(Speller& s, const Cosines& cosines, DType dtype, bool periodic) {
  const ValueId size = s.add(Op::Reshape, "size",
                             {s.cast("length", s.input(0), DType::int64), s.int64s("scalar", {})});
  const ValueId places = s.range("places", size);
  const ValueId whole = periodic ? size : s.add(Op::Sub, "whole", {size, s.int64s("last", {1})});
  const ValueId part =
      s.add(Op::Div, "part",
            {s.cast("place", places, DType::float32), s.cast("turn", whole, DType::float32)});
  ValueId sum = s.number("first", DType::float32, cosines.weights[0]);
  for (std::size_t turn = 1; turn < cosines.weights.size(); ++turn) {
    const double angle = 2 * 3.14159265358979323846 * static_cast<double>(turn);
    const ValueId wave =
        s.add(Op::Cos, "wave",
              {s.add(Op::Mul, "angle", {part, s.number("full", DType::float32, angle)})});
    sum = s.add(Op::Add, "sum",
                {sum, s.add(Op::Mul, "weighted",
                            {wave, s.number("weight", DType::float32, cosines.weights[turn])})});
  }
  return s.cast("window", sum, dtype);
}

}  // namespace

Expected<bool> spell_window(Speller& s) {
  const auto dtype = static_cast<DType>(s.node().int_or("output_datatype", 1));
  if (!is_float(dtype) && !is_integer(dtype))
    return fail_as(ErrorKind::unsupported,
                   "its output_datatype is {}; supported are floats and integers",
                   s.node().int_or("output_datatype", 1));
  const Cosines cosines = cosines_of(s.node().op);
  const bool periodic = s.node().int_or("periodic", 1) != 0;
  if (const auto size = s.numbers(s.input(0));
      size && size->size() == 1 && size->front() <= kLongestTable) {
    if (size->front() < 0) return fail("its size is {}; it must not be negative", size->front());
    s.finish(0, s.defined("window", table_of(cosines, dtype, size->front(), periodic)));
    return true;
  }
  s.finish(0, computed(s, cosines, dtype, periodic));
  return true;
}

// Triangles over the bins of a spectrum, whose corners are equally far apart on the mel scale
// (Stevens, Volkmann and Newman 1937): 2595 * log10(1 + f / 700).
Expected<bool> spell_mel_weight_matrix(Speller& s) {
  std::vector<double> given;
  for (std::size_t i = 0; i < 5; ++i) {
    const Tensor* tensor = s.has(i) ? s.constant(s.input(i)) : nullptr;
    if (tensor == nullptr || tensor->elements() != 1)
      return fail_as(ErrorKind::unsupported, "its input {} is no constant number", i);
    if (is_float(tensor->dtype)) {
      float value = 0;
      read_floats(*tensor, 0, 1, &value);
      given.push_back(value);
    } else {
      given.push_back(static_cast<double>(integer_values(*tensor).value_or(Numbers{0}).front()));
    }
  }
  const auto bands = static_cast<std::int64_t>(given[0]),
             length = static_cast<std::int64_t>(given[1]);
  const std::int64_t bins = length / 2 + 1;
  if (bands < 1 || length < 1 || bands > 65536 || length > (1 << 24) || given[2] < 1 ||
      bands * bins > (std::int64_t{1} << 26))
    return fail("its {} bands of {} samples at {} Hz are out of range", bands, length, given[2]);
  // What comes of the logarithms are whole numbers.
  constexpr double kLog10 = 0x1.26bb1bbb55516p+1;
  const auto mel = [](double hertz) { return 2595 * (log1p_of(hertz / 700) / kLog10); };
  const double low = mel(given[3]), step = (mel(given[4]) - low) / static_cast<double>(bands + 2);
  Numbers corner;
  for (std::int64_t i = 0; i < bands + 2; ++i) {
    const double hertz = 700 * expm1_of((low + static_cast<double>(i) * step) / 2595 * kLog10);
    const double bin = std::floor(static_cast<double>(length + 1) * hertz / given[2]);
    if (!(bin >= 0 && bin < static_cast<double>(bins)))
      return fail("its band {} ends beyond the spectrum", i);
    corner.push_back(static_cast<std::int64_t>(bin));
  }
  std::vector<double> weights(static_cast<std::size_t>(bins * bands));
  for (std::int64_t band = 0; band < bands; ++band) {
    const auto at = [&](std::int64_t bin) -> double& {
      return weights[static_cast<std::size_t>(bin * bands + band)];
    };
    const auto first = corner[static_cast<std::size_t>(band)],
               top = corner[static_cast<std::size_t>(band) + 1],
               last = corner[static_cast<std::size_t>(band) + 2];
    if (first == top) at(top) = 1;
    for (std::int64_t bin = first; bin <= top && first != top; ++bin)
      at(bin) = static_cast<double>(bin - first) / static_cast<double>(top - first);
    for (std::int64_t bin = top; bin < last; ++bin)
      at(bin) = static_cast<double>(last - bin) / static_cast<double>(last - top);
  }
  const auto dtype = static_cast<DType>(s.node().int_or("output_datatype", 1));
  if (!is_float(dtype) && !is_integer(dtype))
    return fail_as(ErrorKind::unsupported,
                   "its output_datatype is {}; supported are floats and integers",
                   s.node().int_or("output_datatype", 1));
  s.finish(0, s.defined("weights", reference::tensor_from(dtype, {bins, bands}, weights)));
  return true;
}

}  // namespace subbyte
