// Gradients of Conv and ConvTranspose, by products with what the windows see, or, of a channel
// each, by rows.
#include "calibrate/gradient/gradient.h"
#include "calibrate/gradient/windows.h"
#include "calibrate/panels.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

using reference::Convolution;

// columns[(channel * taps + tap) * places + place] = what the window of a place sees.
void fill_columns(const Convolution& c, const float* x, float* columns, Machine& machine) {
  const std::int64_t taps = c.taps(), places = c.out_size(), stride = c.strides.back();
  machine.share(c.in_channels, static_cast<double>(c.in_channels * taps * places) / 4,
                [&](std::int64_t channel) {
                  const float* const from = x + channel * c.in_size();
                  float* to = columns + channel * taps * places;
                  std::fill_n(to, taps * places, 0.0f);
                  reference::for_each_coordinate(c.kernel, [&](const Dims& k) {
                    for_segments(c, k, [&](std::int64_t at, std::int64_t count, std::int64_t i) {
                      for (std::int64_t j = 0; j < count; ++j) to[at + j] = from[i + j * stride];
                    });
                    to += places;
                  });
                });
}

// The way back: into[what the window sees] += columns.
void add_columns(const Convolution& c, const float* columns, float* into, Machine& machine) {
  const std::int64_t taps = c.taps(), places = c.out_size(), stride = c.strides.back();
  machine.share(c.in_channels, static_cast<double>(c.in_channels * taps * places) / 4,
                [&](std::int64_t channel) {
                  float* const to = into + channel * c.in_size();
                  const float* from = columns + channel * taps * places;
                  reference::for_each_coordinate(c.kernel, [&](const Dims& k) {
                    for_segments(c, k, [&](std::int64_t at, std::int64_t count, std::int64_t i) {
                      for (std::int64_t j = 0; j < count; ++j) to[i + j * stride] += from[at + j];
                    });
                    from += places;
                  });
                });
}

// What a convolution has to do with: input, weights and what is lost, and where the gradients go,
// nullptr where nobody asks. Of a ConvTranspose the output takes the place of the input.
struct Parts {
  const float* x;
  const float* w;
  const float* lost;
  float* into_x;
  float* into_w;
};

// [rows, columns] of a matrix, turned.
void turn(const float* from, std::int64_t rows, std::int64_t columns, float* to) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
}

void add(const float* from, std::int64_t count, float* to, Machine& machine) {
  for_elements(count, 1, machine, [&](std::int64_t first, std::int64_t end) {
    for (std::int64_t i = first; i < end; ++i) to[i] += from[i];
  });
}

void by_products(const Convolution& c, const Parts& parts, Machine& machine) {
  const std::int64_t depth = c.in_channels * c.taps(), places = c.out_size();
  Scratch columns(machine, depth * places), turned(machine, depth * c.out_channels);
  Scratch found(machine, depth * c.out_channels);
  for (std::int64_t matrix = 0; matrix < c.batch * c.groups; ++matrix) {
    const std::int64_t weights = matrix % c.groups * c.out_channels * depth;
    const float* const lost = parts.lost + matrix * c.out_channels * places;
    const std::int64_t channels = matrix * c.in_channels * c.in_size();
    if (parts.into_w != nullptr) {
      fill_columns(c, parts.x + channels, columns.data(), machine);
      const Product product{places,
                            depth,
                            {columns.data(), 1, places},
                            {{lost, places, c.out_channels, found.data(), depth}}};
      multiply(std::span(&product, 1), machine);
      add(found.data(), depth * c.out_channels, parts.into_w + weights, machine);
    }
    if (parts.into_x != nullptr) {
      turn(parts.w + weights, c.out_channels, depth, turned.data());
      const Product product{c.out_channels,
                            places,
                            {lost, places, 1},
                            {{turned.data(), c.out_channels, depth, columns.data(), places}}};
      multiply(std::span(&product, 1), machine);
      add_columns(c, columns.data(), parts.into_x + channels, machine);
    }
  }
}

// One input channel for each group.
void by_rows(const Convolution& c, const Parts& parts, Machine& machine) {
  const std::int64_t taps = c.taps(), places = c.out_size(), stride = c.strides.back();
  const double cost = static_cast<double>(c.batch * c.groups * c.out_channels * taps * places);
  machine.share(c.groups, cost / 2, [&](std::int64_t g) {
    for (std::int64_t b = 0; b < c.batch; ++b) {
      const std::int64_t channel = (b * c.groups + g) * c.in_size();
      for (std::int64_t m = g * c.out_channels; m < (g + 1) * c.out_channels; ++m) {
        const float* const lost = parts.lost + (b * c.groups * c.out_channels + m) * places;
        std::int64_t tap = m * taps;
        reference::for_each_coordinate(c.kernel, [&](const Dims& k) {
          double sum = 0;
          const float w = parts.w[tap];
          for_segments(c, k, [&](std::int64_t at, std::int64_t count, std::int64_t i) {
            if (parts.into_w != nullptr) {
              const float* const x = parts.x + channel + i;
              float row = 0;
              for (std::int64_t j = 0; j < count; ++j) row += lost[at + j] * x[j * stride];
              sum += static_cast<double>(row);
            }
            if (parts.into_x != nullptr) {
              float* const x = parts.into_x + channel + i;
              for (std::int64_t j = 0; j < count; ++j) x[j * stride] += w * lost[at + j];
            }
          });
          if (parts.into_w != nullptr) parts.into_w[tap] += static_cast<float>(sum);
          ++tap;
        });
      }
    }
  });
}

void add_bias(const GradientCall& call) {
  if (!call.wants(2)) return;
  const Dims& dims = call.outputs[0]->dims;
  const std::int64_t size = reference::product(dims, 2, dims.size());
  for (std::int64_t b = 0; b < dims[0]; ++b) {
    for (std::int64_t m = 0; m < dims[1]; ++m) {
      double sum = 0;
      const float* const lost = call.lost[0] + (b * dims[1] + m) * size;
      for (std::int64_t i = 0; i < size; ++i) sum += static_cast<double>(lost[i]);
      call.into[2][m] += static_cast<float>(sum);
    }
  }
}

}  // namespace

Expected<void> conv_gradient(const GradientCall& call, Machine& machine) {
  SUBBYTE_TRY(const Convolution c, reference::convolution_of(call.call(), false));
  if (call.outputs[0]->data.empty() || c.out.empty()) return {};
  const Parts parts{floats(call.input(0)), floats(call.input(1)), call.lost[0], call.into[0],
                    call.into[1]};
  if (c.in_channels == 1) {
    by_rows(c, parts, machine);
  } else {
    by_products(c, parts, machine);
  }
  add_bias(call);
  return {};
}

// A ConvTranspose is the way back of a Conv from its output to its input, with the same weights. So
// what its input loses is that Conv of what its output loses.
Expected<void> conv_transpose_gradient(const GradientCall& call, Machine& machine) {
  SUBBYTE_TRY(Convolution c, reference::convolution_of(call.call(), true));
  if (call.outputs[0]->data.empty() || c.out.empty()) return {};
  std::swap(c.in, c.out);
  std::swap(c.in_channels, c.out_channels);
  c.transposed = false;
  const std::int64_t depth = c.in_channels * c.taps(), places = c.out_size();
  Scratch columns(machine, depth * places);
  Scratch found(machine, std::max(c.out_channels * places, c.out_channels * depth));
  for (std::int64_t matrix = 0; matrix < c.batch * c.groups; ++matrix) {
    const std::int64_t weights = matrix % c.groups * c.out_channels * depth;
    const std::int64_t channels = matrix * c.out_channels * places;
    fill_columns(c, call.lost[0] + matrix * c.in_channels * c.in_size(), columns.data(), machine);
    if (call.wants(0)) {
      const Product product{
          depth,
          places,
          {columns.data(), places, 1},
          {{floats(call.input(1)) + weights, depth, c.out_channels, found.data(), places}}};
      multiply(std::span(&product, 1), machine);
      add(found.data(), c.out_channels * places, call.into[0] + channels, machine);
    }
    if (call.wants(1)) {
      const Product product{
          places,
          depth,
          {columns.data(), 1, places},
          {{floats(call.input(0)) + channels, places, c.out_channels, found.data(), depth}}};
      multiply(std::span(&product, 1), machine);
      add(found.data(), c.out_channels * depth, call.into[1] + weights, machine);
    }
  }
  add_bias(call);
  return {};
}

}  // namespace subbyte::calibrate
