// Conv as a product: the weights are the left operand, and what the windows of a panel of places
// see is the right one. A depthwise Conv, whose products would be vectors, goes by rows
// (window_rows.h).
#include "reference/convolution.h"

#include <algorithm>

#include "calibrate/forms.h"
#include "calibrate/panels.h"
#include "calibrate/window_rows.h"

namespace subbyte::calibrate {
namespace {

using reference::Convolution;

// Places of a panel that are neighbours along the last axis.
struct Run {
  std::int64_t lane, count;  // where in the panel
  Dims at;                   // of the first
};

std::vector<Run> runs_of(const Convolution& c, std::int64_t first, std::int64_t count) {
  std::vector<Run> runs;
  const std::int64_t width = c.out.back();
  for (std::int64_t lane = 0; lane < count;) {
    Run run{lane, std::min(count - lane, width - (first + lane) % width), Dims(c.out.size())};
    std::int64_t rest = first + lane;
    for (std::size_t axis = c.out.size(); axis-- > 0;) {
      run.at[axis] = rest % c.out[axis];
      rest /= c.out[axis];
    }
    lane += run.count;
    runs.push_back(std::move(run));
  }
  return runs;
}

// What one element of the window meets along a run: places [begin, end) of it read
// channel[from + i * stride], the others padding.
struct Segment {
  std::int64_t begin = 0, end = 0, from = 0;
};

Segment segment_of(const Convolution& c, const Run& run, const Dims& k) {
  const std::size_t last = c.out.size() - 1;
  std::int64_t row = 0;
  for (std::size_t axis = 0; axis < last; ++axis) {
    const std::int64_t i = c.position(axis, run.at[axis], k[axis]);
    if (i < 0) return {};
    row = row * c.in[axis] + i;
  }
  const std::int64_t stride = c.strides[last];
  const std::int64_t x = run.at[last] * stride - c.pads_begin[last] + k[last] * c.dilations[last];
  Segment segment;
  if (x < 0) segment.begin = std::min(run.count, (-x + stride - 1) / stride);
  const std::int64_t room = c.in[last] - x;  // places below it are inside
  segment.end = room <= 0 ? 0 : std::min(run.count, (room + stride - 1) / stride);
  if (segment.end <= segment.begin) return {};
  segment.from = row * c.in[last] + x;
  return segment;
}

// The rows of a panel are elements of the window in each channel, the channels outermost.
void fill_panel(const Convolution& c, const float* channels, std::int64_t first, std::int64_t count,
                float* panel) {
  const std::int64_t width = panel_width(count), taps = c.taps(), in_size = c.in_size();
  const std::int64_t stride = c.strides.back();
  std::fill_n(panel, c.in_channels * taps * width, 0.0f);
  const std::vector<Run> runs = runs_of(c, first, count);
  std::int64_t tap = 0;
  reference::for_each_coordinate(c.kernel, [&](const Dims& k) {
    for (const Run& run : runs) {
      const Segment s = segment_of(c, run, k);
      const std::int64_t length = s.end - s.begin;
      if (length <= 0) continue;
      for (std::int64_t channel = 0; channel < c.in_channels; ++channel) {
        const float* const from = channels + channel * in_size + s.from + s.begin * stride;
        float* const to = panel + (channel * taps + tap) * width + run.lane + s.begin;
        if (stride == 1) {
          std::copy_n(from, length, to);
        } else {
          for (std::int64_t i = 0; i < length; ++i) to[i] = from[i * stride];
        }
      }
    }
    ++tap;
  });
}

// One window, as wide as the whole input or a point at a point: what it sees lies in memory as it
// is.
bool is_pointwise(const Convolution& c) {
  const auto all = [](const Dims& dims, std::int64_t value) {
    return std::ranges::all_of(dims, [&](std::int64_t dim) { return dim == value; });
  };
  return all(c.kernel, 1) && all(c.strides, 1) && all(c.pads_begin, 0) && c.in == c.out;
}

void convolve_by_products(const Call& call, const Convolution& c, float* out, Machine& machine) {
  const float* const x = floats(call.input(0));
  const float* const w = floats(call.input(1));
  const std::int64_t depth = c.in_channels * c.taps(), places = c.out_size();
  const std::int64_t in_size = c.in_channels * c.in_size();
  std::vector<Product> plain;
  std::vector<MadeProduct> made;
  for (std::int64_t matrix = 0; matrix < c.batch * c.groups; ++matrix) {
    const float* const weights = w + matrix % c.groups * c.out_channels * depth;
    const float* const channels = x + matrix * in_size;
    float* const result = out + matrix * c.out_channels * places;
    if (is_pointwise(c) && places == 1) {
      // A vector times the transposed weights.
      plain.push_back({depth,
                       c.out_channels,
                       {weights, 1, depth},
                       {{channels, depth, 1, result, c.out_channels}}});
    } else if (is_pointwise(c)) {
      plain.push_back({depth,
                       places,
                       {channels, places, 1},
                       {{weights, depth, c.out_channels, result, places}}});
    } else {
      const auto fill = [&c, channels](std::int64_t first, std::int64_t count, float* panel) {
        fill_panel(c, channels, first, count, panel);
      };
      made.push_back({depth, places, fill, {weights, depth, c.out_channels, result, places}});
    }
  }
  multiply(plain, machine);
  multiply(made, machine);
}

void convolve_by_rows(const Call& call, const Convolution& c, const WindowRows& rows, float* out,
                      Machine& machine) {
  const float* const x = floats(call.input(0));
  const float* const w = floats(call.input(1));
  const std::int64_t taps = c.taps(), in_size = c.in_size(), out_size = c.out_size();
  const std::int64_t channels = c.batch * c.groups * c.out_channels;
  const double cost = static_cast<double>(channels * out_size) * static_cast<double>(taps) / 8;
  machine.share(channels, cost, [&](std::int64_t channel) {
    Scratch padded(machine, rows.padded_size());
    rows.pad(x + channel / c.out_channels * in_size, 0.0f, padded.data());
    const std::int64_t filter = channel % (c.groups * c.out_channels);
    rows.sum_products(padded.data(), w + filter * taps, out + channel * out_size);
  });
}

void add_bias(const Call& call, const Convolution& c, float* out, Machine& machine) {
  if (!call.has(2)) return;
  const float* const bias = floats(call.input(2));
  const std::int64_t channels = c.groups * c.out_channels, size = c.out_size();
  machine.share(c.batch * channels, static_cast<double>(c.batch * channels * size) / 4,
                [&](std::int64_t i) {
                  const float b = bias[i % channels];
                  for (std::int64_t at = i * size; at < (i + 1) * size; ++at) out[at] += b;
                });
}

bool all_float32(const Call& call) {
  for (std::size_t i = 0; i < call.inputs.size(); ++i)
    if (call.has(i) && !is_float32(call.input(i))) return false;
  return true;
}

Expected<Made> make_output(const Call& call, const Convolution& c, Machine& machine) {
  Dims dims{c.batch, c.groups * c.out_channels};
  dims.insert(dims.end(), c.out.begin(), c.out.end());
  return make(call, machine, DType::float32, std::move(dims));
}

// Adds what the elements of the window spread, in their order: columns[tap, place] to the places of
// the output.
void spread(const Convolution& c, const float* columns, float* out) {
  const std::int64_t in_size = c.in_size();
  std::int64_t tap = 0;
  reference::for_each_coordinate(c.kernel, [&](const Dims& k) {
    std::int64_t place = 0;
    reference::for_each_coordinate(c.in, [&](const Dims& i) {
      std::int64_t at = 0;
      bool inside = true;
      for (std::size_t axis = 0; axis < i.size(); ++axis) {
        const std::int64_t o =
            i[axis] * c.strides[axis] + k[axis] * c.dilations[axis] - c.pads_begin[axis];
        inside = inside && o >= 0 && o < c.out[axis];
        at = at * c.out[axis] + o;
      }
      if (inside) out[at] += columns[tap * in_size + place];
      ++place;
    });
    ++tap;
  });
}

}  // namespace

Result conv_form(const Call& call, Machine& machine) {
  if (!all_float32(call)) return Outputs();
  SUBBYTE_TRY(const Convolution c, reference::convolution_of(call, false));
  SUBBYTE_TRY(Made made, make_output(call, c, machine));
  if (made.tensor.data.empty()) return std::move(made).done();
  const auto rows = WindowRows::of({c.in, c.kernel, c.strides, c.dilations, c.pads_begin, c.out});
  if (c.in_channels == 1 && rows) {
    convolve_by_rows(call, c, *rows, made.floats(), machine);
  } else {
    convolve_by_products(call, c, made.floats(), machine);
  }
  add_bias(call, c, made.floats(), machine);
  return std::move(made).done();
}

// The transposed weights times the input give what each place adds to the output through each
// element of its window.
Result conv_transpose_form(const Call& call, Machine& machine) {
  if (!all_float32(call)) return Outputs();
  SUBBYTE_TRY(const Convolution c, reference::convolution_of(call, true));
  SUBBYTE_TRY(Made made, make_output(call, c, machine));
  if (made.tensor.data.empty()) return std::move(made).done();
  const std::int64_t taps = c.taps(), in_size = c.in_size(), out_size = c.out_size();
  const std::int64_t columns = c.out_channels * taps;
  std::fill_n(made.floats(), c.batch * c.groups * c.out_channels * out_size, 0.0f);
  Scratch weights(machine, c.groups * columns * c.in_channels);
  const float* const w = floats(call.input(1));
  for (std::int64_t g = 0; g < c.groups; ++g)
    for (std::int64_t k = 0; k < c.in_channels; ++k)
      for (std::int64_t m = 0; m < columns; ++m)
        weights.data()[(g * columns + m) * c.in_channels + k] =
            w[(g * c.in_channels + k) * columns + m];
  for (std::int64_t matrix = 0; matrix < c.batch * c.groups; ++matrix) {
    Scratch spreads(machine, columns * in_size);
    const float* const left = weights.data() + matrix % c.groups * columns * c.in_channels;
    const float* const right = floats(call.input(0)) + matrix * c.in_channels * in_size;
    const Product product{c.in_channels,
                          in_size,
                          {right, in_size, 1},
                          {{left, c.in_channels, columns, spreads.data(), in_size}}};
    multiply(std::span(&product, 1), machine);
    float* const out = made.floats() + matrix * c.out_channels * out_size;
    machine.share(c.out_channels, static_cast<double>(columns * in_size), [&](std::int64_t m) {
      spread(c, spreads.data() + m * taps * in_size, out + m * out_size);
    });
  }
  add_bias(call, c, made.floats(), machine);
  return std::move(made).done();
}

}  // namespace subbyte::calibrate
