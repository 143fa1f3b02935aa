// GridSample and ReverseSequence.
#include <algorithm>

#include "reference/call.h"

namespace subbyte::reference {
namespace {

// What surrounds an axis of `size`: nothing, its last element, or its mirror image, at the middle
// of the elements at its ends or at their outer edges.
struct Axis {
  double size = 1;
  bool align = false;
  enum class Around : std::uint8_t { zeros, border, reflection } around = Around::zeros;

  double place(double x) const {
    return align ? (x + 1) / 2 * (size - 1) : ((x + 1) * size - 1) / 2;
  }
  double first() const { return align ? 0 : -0.5; }
  double last() const { return align ? size - 1 : size - 0.5; }
  double reflected(double x) const {
    const double length = last() - first();
    if (length <= 0) return 0;
    const double distance = std::abs(x - first());
    const double turns = std::floor(distance / length), rest = distance - turns * length;
    return std::fmod(turns, 2) == 0 ? first() + rest : last() - rest;
  }
  // A place outside is moved before anything is read there; not to a border where four elements
  // are read, as in ONNX Runtime and PyTorch.
  double settled(double x, int taps) const {
    const bool stays = around == Around::zeros || (around == Around::border && taps == 4);
    if (stays || (x >= first() && x <= last())) return x;
    return around == Around::border ? std::clamp(x, 0.0, size - 1) : reflected(x);
  }
  // The element at a whole place; -1 where there is none.
  std::int64_t inside(double x) const {
    if (around == Around::reflection) x = std::round(reflected(x));
    if (around != Around::zeros) x = std::clamp(x, 0.0, size - 1);
    return x >= 0 && x < size ? static_cast<std::int64_t>(x) : -1;
  }
};

// Keys' cubic convolution with a = -0.75.
double cubic(double distance) {
  const double a = -0.75, x = std::abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

struct Sampler {
  std::vector<Axis> axes;  // outermost first
  int taps = 2;            // 1: nearest, 2: linear, 4: cubic

  double weight(double distance) const {
    if (taps == 1) return 1;
    return taps == 2 ? 1 - std::abs(distance) : cubic(distance);
  }
  // `at`: the places along the axes. `image`: the elements of one channel.
  double sample(std::span<const double> image, std::span<const double> at, std::size_t axis,
                std::int64_t offset) const {
    if (axis == axes.size()) return image[static_cast<std::size_t>(offset)];
    const double x = at[axis];
    const int before = taps / 2 - 1;
    const double first = taps == 1 ? x : std::floor(x) - before;
    double sum = 0;
    for (int tap = 0; tap < taps; ++tap) {
      const std::int64_t i = axes[axis].inside(first + tap);
      if (i < 0) continue;
      const auto size = static_cast<std::int64_t>(axes[axis].size);
      sum += weight(x - (first + tap)) * sample(image, at, axis + 1, offset * size + i);
    }
    return sum;
  }
};

}  // namespace

// The grid holds places within -1 .. 1 of each axis, innermost first.
Result reference_grid_sample(const Call& call) {
  const Tensor& x = call.input(0);
  const Dims& grid = call.input(1).dims;
  if (!is_float(x.dtype) || !is_float(call.input(1).dtype)) return wrong_dtype(call, x.dtype);
  const std::size_t rank = x.dims.size(), count = rank < 3 ? 0 : rank - 2;
  if (rank < 3 || grid.size() != rank || grid[0] != x.dims[0] ||
      grid.back() != static_cast<std::int64_t>(count))
    return fail("{}: its input has shape {} and its grid {}, which do not fit", call.node.op_type,
                dims_text(x.dims), dims_text(grid));
  const std::string_view mode = call.node.string_or("mode", "linear");
  const std::string_view padding = call.node.string_or("padding_mode", "zeros");
  Sampler sampler;
  sampler.taps = mode == "nearest" ? 1 : mode == "cubic" || mode == "bicubic" ? 4 : 2;
  for (std::size_t i = 0; i < count; ++i)
    sampler.axes.push_back({static_cast<double>(x.dims[2 + i]),
                            call.node.int_or("align_corners", 0) != 0,
                            padding == "zeros"    ? Axis::Around::zeros
                            : padding == "border" ? Axis::Around::border
                                                  : Axis::Around::reflection});
  Dims dims{x.dims[0], x.dims[1]};
  dims.insert(dims.end(), grid.begin() + 1, grid.end() - 1);
  SUBBYTE_CHECK_OK(output_bytes(call, DType::float64, dims));
  const std::vector<double> data = read_doubles(x), places = read_doubles(call.input(1));
  const auto image = static_cast<std::size_t>(product(x.dims, 2, rank));
  const auto points = static_cast<std::size_t>(product(dims, 2, rank));
  std::vector<double> result;
  std::vector<double> at(count);
  for (std::size_t plane = 0; plane < static_cast<std::size_t>(dims[0] * dims[1]); ++plane) {
    const std::size_t batch = plane / static_cast<std::size_t>(dims[1]);
    for (std::size_t p = 0; p < points; ++p) {
      for (std::size_t i = 0; i < count; ++i) {
        const double place =
            sampler.axes[i].place(places[(batch * points + p) * count + (count - 1 - i)]);
        at[i] = sampler.axes[i].settled(sampler.taps == 1 ? std::nearbyint(place) : place,
                                        sampler.taps);
      }
      result.push_back(sampler.sample(std::span(data).subspan(plane * image, image), at, 0, 0));
    }
  }
  SUBBYTE_TRY(Tensor output, make_floats(call, x.dtype, std::move(dims), result));
  return one(std::move(output));
}

Result reference_reverse_sequence(const Call& call) {
  const Tensor& x = call.input(0);
  SUBBYTE_TRY(const Dims lengths, integer_list(call, 1));
  const bool batch_first = call.node.int_or("batch_axis", 1) == 0;
  if (x.dims.size() < 2 || static_cast<std::int64_t>(lengths.size()) != x.dims[batch_first ? 0 : 1])
    return fail("{}: its input has shape {} and there are {} lengths, which do not fit",
                call.node.op_type, dims_text(x.dims), lengths.size());
  const std::int64_t time = x.dims[batch_first ? 1 : 0], batch = x.dims[batch_first ? 0 : 1];
  const std::size_t run =
      static_cast<std::size_t>(product(x.dims, 2, x.dims.size())) * dtype_size(x.dtype);
  SUBBYTE_TRY(auto bytes, allocate(call, x.dtype, x.dims));
  if (bytes.empty()) return one(make_tensor(x.dtype, x.dims, std::move(bytes)));
  for (std::int64_t n = 0; n < batch; ++n) {
    const std::int64_t length = lengths[static_cast<std::size_t>(n)];
    if (length < 0 || length > time)
      return fail("{}: a length is {}; it must be from 0 to {}", call.node.op_type, length, time);
    for (std::int64_t t = 0; t < time; ++t) {
      const auto row = [&](std::int64_t at) {
        return static_cast<std::size_t>(batch_first ? n * time + at : at * batch + n) * run;
      };
      std::memcpy(bytes.data() + row(t), x.data.data() + row(t < length ? length - 1 - t : t), run);
    }
  }
  return one(make_tensor(x.dtype, x.dims, std::move(bytes)));
}

}  // namespace subbyte::reference
