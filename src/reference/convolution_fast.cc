// Convolution as a matrix product: the elements that the windows of a block of places see become
// the columns of a matrix (im2col), which the weights multiply.
#include <Eigen/Core>
#include <algorithm>

#include "base/threads.h"
#include "reference/convolution.h"

namespace subbyte::reference {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Places of the output that are computed at a time: enough for a product, but several blocks for
// several threads.
constexpr std::int64_t kMostPlaces = 256, kFewestPlaces = 32, kBlocks = 8;
// Elements of the matrix of columns, whatever the size of the window is.
constexpr std::int64_t kMostElements = std::int64_t{1} << 23;

struct Work {
  const Convolution& c;
  std::vector<double> input;
  // One matrix [out_channels, in_channels * taps] for each group.
  std::vector<RowMajor> weights;
  std::int64_t taps, in_size, out_size;
};

std::vector<RowMajor> group_matrices(const Convolution& c, const Tensor& weights) {
  const std::vector<double> w = read_doubles(weights);
  const std::int64_t taps = c.taps();
  std::vector<RowMajor> matrices;
  for (std::int64_t g = 0; g < c.groups; ++g) {
    RowMajor& matrix = matrices.emplace_back(c.out_channels, c.in_channels * taps);
    for (std::int64_t m = 0; m < c.out_channels; ++m)
      for (std::int64_t depth = 0; depth < c.in_channels; ++depth) {
        const std::int64_t row = c.transposed ? (g * c.in_channels + depth) * c.out_channels + m
                                              : (g * c.out_channels + m) * c.in_channels + depth;
        for (std::int64_t tap = 0; tap < taps; ++tap)
          matrix(m, depth * taps + tap) = w[static_cast<std::size_t>(row * taps + tap)];
      }
  }
  return matrices;
}

// For each element of the window, row-major, and each place of [first, first + count): which
// element of a channel it meets, or -1.
std::vector<std::int64_t> sources(const Convolution& c, std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> result;
  result.reserve(static_cast<std::size_t>(c.taps() * count));
  for_each_coordinate(c.kernel, [&](const Dims& k) {
    for (std::int64_t place = first; place < first + count; ++place) {
      std::int64_t rest = place, from = 0, stride = 1;
      for (std::size_t axis = c.out.size(); axis-- > 0 && from >= 0;) {
        const std::int64_t i = c.position(axis, rest % c.out[axis], k[axis]);
        rest /= c.out[axis];
        from = i < 0 ? -1 : from + i * stride;
        stride *= c.in[axis];
      }
      result.push_back(from);
    }
  });
  return result;
}

// One input and output channel in each group: no matrix is worth making.
void convolve_channel(const Work& work, const double* channel, const double* weights,
                      const std::vector<std::int64_t>& from, std::int64_t count, double* out) {
  for (std::int64_t tap = 0; tap < work.taps; ++tap) {
    const std::int64_t* source = from.data() + tap * count;
    for (std::int64_t i = 0; i < count; ++i)
      if (source[i] >= 0) out[i] += weights[tap] * channel[source[i]];
  }
}

void fill_columns(const Work& work, const double* channels, const std::vector<std::int64_t>& from,
                  std::int64_t count, RowMajor& columns) {
  for (std::int64_t row = 0; row < columns.rows(); ++row) {
    const double* channel = channels + row / work.taps * work.in_size;
    const std::int64_t* source = from.data() + row % work.taps * count;
    double* out = columns.data() + row * count;
    for (std::int64_t i = 0; i < count; ++i) out[i] = source[i] < 0 ? 0 : channel[source[i]];
  }
}

void convolve_block(const Work& work, std::int64_t first, std::int64_t count, double* result) {
  const Convolution& c = work.c;
  const std::vector<std::int64_t> from = sources(c, first, count);
  RowMajor columns;
  for (std::int64_t matrix = 0; matrix < c.batch * c.groups; ++matrix) {
    const RowMajor& weights = work.weights[static_cast<std::size_t>(matrix % c.groups)];
    const double* channels = work.input.data() + matrix * c.in_channels * work.in_size;
    double* out = result + matrix * c.out_channels * work.out_size + first;
    if (c.in_channels == 1 && c.out_channels == 1) {
      convolve_channel(work, channels, weights.data(), from, count, out);
      continue;
    }
    columns.resize(c.in_channels * work.taps, count);
    fill_columns(work, channels, from, count, columns);
    Eigen::Map<RowMajor, 0, Eigen::OuterStride<>> block(out, c.out_channels, count,
                                                        Eigen::OuterStride<>(work.out_size));
    block.noalias() = weights * columns;
  }
}

}  // namespace

std::vector<double> convolve(const Convolution& c, const Tensor& input, const Tensor& weights) {
  const std::int64_t out_size = c.out_size();
  std::vector<double> result(
      static_cast<std::size_t>(c.batch * c.groups * c.out_channels * out_size));
  if (result.empty() || c.in_channels == 0 || c.taps() == 0) return result;
  const Work work{c,        read_doubles(input), group_matrices(c, weights),
                  c.taps(), c.in_size(),         out_size};
  const std::int64_t depth = c.in_channels * work.taps;
  const std::int64_t most = std::clamp<std::int64_t>(kMostElements / depth, 1, kMostPlaces);
  const std::int64_t places =
      std::min(most, std::clamp((out_size + kBlocks - 1) / kBlocks, kFewestPlaces, kMostPlaces));
  const std::int64_t blocks = (out_size + places - 1) / places;
  const auto block = [&](std::size_t i) {
    const std::int64_t first = static_cast<std::int64_t>(i) * places;
    convolve_block(work, first, std::min(places, out_size - first), result.data());
  };
  // Starting a thread costs more than a small convolution.
  const double products = static_cast<double>(result.size()) * static_cast<double>(c.in_channels) *
                          static_cast<double>(c.taps());
  parallel_for(static_cast<std::size_t>(blocks), block, products > 1e6 ? 0 : 1);
  return result;
}

}  // namespace subbyte::reference
