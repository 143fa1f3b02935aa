// Gradients of MaxPool and AveragePool.
#include "reference/pool.h"

#include <limits>

#include "calibrate/forms.h"
#include "calibrate/gradient/gradient.h"
#include "calibrate/gradient/windows.h"
#include "graph/ops.h"

namespace subbyte::calibrate {
namespace {

using reference::Convolution;

// The windows of one channel.
Convolution windows_of(const reference::PoolWindow& w) {
  Convolution c;
  c.in = w.in;
  c.kernel = w.kernel;
  c.out = w.out;
  c.strides = w.strides;
  c.dilations = w.dilations;
  c.pads_begin = w.pads_begin;
  return c;
}

// What goes to each element of a place's window in an AveragePool: 1 / how many count there. The
// node on ones gives the share of those inside.
Expected<std::vector<float>> shares_of(const GradientCall& call, const Convolution& c,
                                       Machine& machine) {
  std::vector<float> inside(static_cast<std::size_t>(c.out_size()), 0.0f);
  reference::for_each_coordinate(c.kernel, [&](const Dims& k) {
    for_segments(c, k, [&](std::int64_t at, std::int64_t count, std::int64_t) {
      for (std::int64_t j = at; j < at + count; ++j) inside[static_cast<std::size_t>(j)] += 1;
    });
  });
  Dims dims{1, 1};
  dims.insert(dims.end(), c.in.begin(), c.in.end());
  const std::vector<float> ones(static_cast<std::size_t>(c.in_size()), 1.0f);
  const auto bytes = std::as_bytes(std::span(ones));
  const Tensor all = make_tensor(DType::float32, dims, {bytes.begin(), bytes.end()});
  const Tensor* const input = &all;
  const Call plain{call.node, {&input, 1}, reference::kMaxTensorBytes};
  SUBBYTE_TRY(const auto found, evaluate_node(Calls(&plain, 1), machine));
  for (std::size_t i = 0; i < inside.size(); ++i)
    inside[i] = inside[i] > 0 ? floats(found[0][0])[i] / inside[i] : 0;
  return inside;
}

void add_average(const Convolution& c, const std::vector<float>& shares, const float* lost,
                 float* into) {
  reference::for_each_coordinate(c.kernel, [&](const Dims& k) {
    for_segments(c, k, [&](std::int64_t at, std::int64_t count, std::int64_t from) {
      for (std::int64_t j = 0; j < count; ++j)
        into[from + j * c.strides.back()] +=
            lost[at + j] * shares[static_cast<std::size_t>(at + j)];
    });
  });
}

// The first of the greatest gets all.
void add_greatest(const Convolution& c, const float* x, const float* lost, float* into) {
  const auto places = static_cast<std::size_t>(c.out_size());
  std::vector<float> most(places, -std::numeric_limits<float>::infinity());
  std::vector<std::int64_t> which(places, -1);
  reference::for_each_coordinate(c.kernel, [&](const Dims& k) {
    for_segments(c, k, [&](std::int64_t at, std::int64_t count, std::int64_t from) {
      for (std::int64_t j = 0; j < count; ++j) {
        const auto place = static_cast<std::size_t>(at + j);
        const std::int64_t i = from + j * c.strides.back();
        if (x[i] <= most[place] && which[place] >= 0) continue;
        most[place] = x[i];
        which[place] = i;
      }
    });
  });
  for (std::size_t place = 0; place < places; ++place)
    if (which[place] >= 0) into[which[place]] += lost[place];
}

}  // namespace

Expected<void> pool_gradient(const GradientCall& call, Machine& machine) {
  const Tensor& x = call.input(0);
  SUBBYTE_TRY(const reference::PoolWindow window, reference::pool_window(call.call()));
  const Convolution c = windows_of(window);
  if (call.outputs[0]->data.empty() || c.out.empty()) return {};
  const bool greatest = call.node.op == Op::MaxPool;
  std::vector<float> shares;
  if (!greatest) {
    SUBBYTE_TRY(shares, shares_of(call, c, machine));
  }
  const std::int64_t channels = reference::product(x.dims, 0, 2);
  machine.share(channels, static_cast<double>(channels * c.out_size() * c.taps()),
                [&](std::int64_t channel) {
                  const float* const lost = call.lost[0] + channel * c.out_size();
                  float* const into = call.into[0] + channel * c.in_size();
                  if (greatest) {
                    add_greatest(c, floats(x) + channel * c.in_size(), lost, into);
                  } else {
                    add_average(c, shares, lost, into);
                  }
                });
  return {};
}

}  // namespace subbyte::calibrate
