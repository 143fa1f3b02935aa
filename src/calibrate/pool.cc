// MaxPool without indices, AveragePool and LpPool.
#include "reference/pool.h"

#include <algorithm>
#include <cmath>

#include "base/scalar_math.h"
#include "calibrate/forms.h"
#include "calibrate/window_rows.h"
#include "graph/arithmetic.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

// Along one axis, how many elements of the window at each place count: those inside, or those
// inside or in the padding.
std::vector<float> counts_of(const reference::PoolWindow& w, std::size_t axis, bool with_padding) {
  std::vector<float> counts;
  for (std::int64_t o = 0; o < w.out[axis]; ++o) {
    const std::int64_t start = o * w.strides[axis] - w.pads_begin[axis];
    const auto before = [&](std::int64_t end) {
      return std::clamp<std::int64_t>(ceil_div_int(end - start, w.dilations[axis]), 0,
                                      w.kernel[axis]);
    };
    const std::int64_t count =
        with_padding ? before(w.in[axis] + w.pads_end[axis]) : before(w.in[axis]) - before(0);
    counts.push_back(static_cast<float>(count));
  }
  return counts;
}

// Of each place, row-major.
std::vector<float> counts_of(const reference::PoolWindow& w, bool with_padding) {
  std::vector<float> counts{1};
  for (std::size_t axis = 0; axis < w.out.size(); ++axis) {
    const std::vector<float> along = counts_of(w, axis, with_padding);
    std::vector<float> product;
    for (const float a : counts)
      for (const float b : along) product.push_back(a * b);
    counts = std::move(product);
  }
  return counts;
}

// |x|^p of a channel, and the pth root of what they add up to.
void raise(const float* x, double p, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float a = std::fabs(x[i]);
    out[i] = p == 1 ? a : p == 2 ? a * a : static_cast<float>(pow_of(static_cast<double>(a), p));
  }
}
void take_root(double p, std::int64_t count, float* values) {
  for (std::int64_t i = 0; i < count; ++i) {
    if (p == 2) values[i] = std::sqrt(values[i]);
    if (p > 2) values[i] = static_cast<float>(pow_of(static_cast<double>(values[i]), 1 / p));
  }
}

// One channel of a pool.
struct Pool {
  Op op;
  const WindowRows& rows;
  std::int64_t in_size, out_size;
  std::vector<float> counts;  // of AveragePool
  double p;                   // of LpPool

  void run(const float* channel, float* out, Machine& machine) const {
    Scratch padded(machine, rows.padded_size());
    if (op == Op::MaxPool) {
      rows.pad(channel, -std::numeric_limits<float>::infinity(), padded.data());
      return rows.greatest(padded.data(), out);
    }
    if (op == Op::LpPool) {
      Scratch raised(machine, in_size);
      raise(channel, p, in_size, raised.data());
      rows.pad(raised.data(), 0, padded.data());
    } else {
      rows.pad(channel, 0, padded.data());
    }
    rows.sum(padded.data(), out);
    if (op == Op::LpPool) return take_root(p, out_size, out);
    for (std::size_t i = 0; i < counts.size(); ++i) out[i] /= counts[i];
  }
};

}  // namespace

Result pool_form(const Call& call, Machine& machine) {
  const Tensor& x = call.input(0);
  const Op op = call.node.op;
  const std::int64_t p = call.node.int_or("p", 2);
  if (!is_float32(x) || call.node.outputs.size() > 1 || p < 1) return Outputs();
  SUBBYTE_TRY(const reference::PoolWindow w, reference::pool_window(call));
  const auto rows = WindowRows::of({w.in, w.kernel, w.strides, w.dilations, w.pads_begin, w.out});
  if (!rows) return Outputs();
  Dims dims{x.dims[0], x.dims[1]};
  dims.insert(dims.end(), w.out.begin(), w.out.end());
  SUBBYTE_TRY(Made made, make(call, machine, DType::float32, std::move(dims)));
  const std::int64_t channels = reference::product(x.dims, 0, 2);
  const Pool pool{op,
                  *rows,
                  reference::product(w.in, 0, w.in.size()),
                  reference::product(w.out, 0, w.out.size()),
                  op == Op::AveragePool
                      ? counts_of(w, call.node.int_or("count_include_pad", 0) != 0)
                      : std::vector<float>(),
                  static_cast<double>(p)};
  const double taps = static_cast<double>(reference::product(w.kernel, 0, w.kernel.size()));
  machine.share(channels, static_cast<double>(channels * pool.out_size) * taps / 8,
                [&](std::int64_t channel) {
                  pool.run(floats(x) + channel * pool.in_size,
                           made.floats() + channel * pool.out_size, machine);
                });
  return std::move(made).done();
}

}  // namespace subbyte::calibrate
