// Resize: interpolation along one axis after the other. Coordinates are float32, as in ONNX
// Runtime, because a rounding decides which element is the nearest; sums are double.
#include <algorithm>
#include <numeric>

#include "base/text.h"
#include "graph/resize_form.h"
#include "reference/call.h"

namespace subbyte::reference {
namespace {

// How one axis is resized.
struct Axis {
  std::size_t axis = 0;
  std::int64_t in = 0, out = 0;
  float scale = 1;
  float roi_start = 0, roi_end = 1;
};

// Elements of the input, each with a weight, that make one element of the output.
struct Sample {
  Dims from;
  std::vector<double> weights;
  bool outside = false;  // of what tf_crop_and_resize looks at
};

// Where element `at` of the output lies in the input.
float original(ResizeForm::Coordinates mode, const Axis& a, std::int64_t at) {
  using Coordinates = ResizeForm::Coordinates;
  const auto x = static_cast<float>(at);
  const auto in = static_cast<float>(a.in), out = static_cast<float>(a.out);
  if (mode == Coordinates::asymmetric) return x / a.scale;
  if (mode == Coordinates::tf_half_pixel_for_nn) return (x + 0.5f) / a.scale;
  if (mode == Coordinates::align_corners) return a.out == 1 ? 0 : x * (in - 1) / (out - 1);
  if (mode == Coordinates::pytorch_half_pixel && a.out == 1) return 0;
  if (mode == Coordinates::tf_crop_and_resize) {
    if (a.out == 1) return 0.5f * (a.roi_start + a.roi_end) * (in - 1);
    return a.roi_start * (in - 1) + x * (a.roi_end - a.roi_start) * (in - 1) / (out - 1);
  }
  if (mode == Coordinates::half_pixel_symmetric) {
    const float adjustment = out / (a.scale * in);
    return in / 2 * (1 - adjustment) + (x + 0.5f) / a.scale - 0.5f;
  }
  return (x + 0.5f) / a.scale - 0.5f;
}

float nearest(ResizeForm::Nearest mode, float x) {
  switch (mode) {
    case ResizeForm::Nearest::floor:
      return std::floor(x);
    case ResizeForm::Nearest::ceil:
      return std::ceil(x);
    // A half is rounded down or up, whatever its sign.
    case ResizeForm::Nearest::round_prefer_ceil:
      return std::floor(x + 0.5f);
    case ResizeForm::Nearest::round_prefer_floor:
      break;
  }
  return std::ceil(x - 0.5f);
}

// Keys' cubic convolution (IEEE Trans. ASSP 29, 1981) with its parameter a.
double cubic(double x, double a) {
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

double linear(double x) { return std::max(0.0, 1 - std::fabs(x)); }

// Elements around x with the weights of a filter, which antialiasing stretches.
Sample filtered(const ResizeForm& form, const Axis& a, float x) {
  const bool is_cubic = form.mode == ResizeForm::Mode::cubic;
  const double parameter = form.cubic_a;
  const double stretch = form.antialias ? std::min<double>(a.scale, 1) : 1;
  const double radius = (is_cubic ? 2 : 1) / stretch;
  Sample sample;
  double sum = 0;
  const auto first = static_cast<std::int64_t>(std::ceil(x - radius));
  const auto last = static_cast<std::int64_t>(std::floor(x + radius));
  for (std::int64_t i = first; i <= last; ++i) {
    if (form.excludes_outside && (i < 0 || i >= a.in)) continue;
    const double distance = (static_cast<double>(i) - x) * stretch;
    const double weight = is_cubic ? cubic(distance, parameter) : linear(distance);
    if (weight == 0) continue;
    sample.from.push_back(std::clamp<std::int64_t>(i, 0, a.in - 1));
    sample.weights.push_back(weight);
    sum += weight;
  }
  for (double& weight : sample.weights) weight /= sum;
  return sample;
}

Sample sample_at(const ResizeForm& form, const Axis& a, std::int64_t at) {
  float x =
      a.scale == 1 && !form.crops() ? static_cast<float>(at) : original(form.coordinates, a, at);
  // A roi is any float; far outside is far enough.
  if (!(std::fabs(x) < 0x1p31f)) x = x > 0 ? 0x1p31f : -0x1p31f;
  Sample sample;
  if (form.mode == ResizeForm::Mode::nearest) {
    const float place = nearest(form.nearest, x);
    sample.from.push_back(
        static_cast<std::int64_t>(std::clamp(place, 0.0f, static_cast<float>(a.in - 1))));
    sample.weights.push_back(1);
  } else {
    sample = filtered(form, a, x);
  }
  sample.outside = form.crops() && (x < 0 || x > static_cast<float>(a.in - 1));
  return sample;
}

Expected<std::vector<float>> floats_of(const Call& call, std::size_t i, std::size_t count) {
  const Tensor& tensor = call.input(i);
  if (!is_float(tensor.dtype) || tensor.elements() != static_cast<std::int64_t>(count))
    return fail("{}: input {} is {} of shape {}; it must be {} floats", call.node.op_type, i,
                dtype_name(tensor.dtype), dims_text(tensor.dims), count);
  std::vector<float> values(count);
  read_floats(tensor, 0, tensor.elements(), values.data());
  return values;
}

// With `sizes`, stretched to them or, by keep_aspect_ratio_policy, scaled alike along all axes.
Expected<void> set_sizes(const Call& call, const ResizeForm& form, std::vector<Axis>& axes) {
  SUBBYTE_TRY(const Dims sizes, integer_list(call, ResizeForm::kSizes));
  if (sizes.size() != axes.size())
    return fail("{}: it has {} sizes for {} axes; there must be one for each", call.node.op_type,
                sizes.size(), axes.size());
  const bool not_larger = form.aspect_ratio == ResizeForm::AspectRatio::not_larger;
  double above = 0, below = 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (sizes[i] < 0)
      return fail("{}: one of its sizes is {}; it must be at least 0", call.node.op_type, sizes[i]);
    axes[i].out = sizes[i];
    axes[i].scale = static_cast<float>(sizes[i]) / static_cast<float>(axes[i].in);
    const auto out = static_cast<double>(sizes[i]), in = static_cast<double>(axes[i].in);
    const bool better =
        i == 0 || (not_larger ? out * below < above * in : above * in < out * below);
    if (better) above = out, below = in;
  }
  if (form.has_both) {
    SUBBYTE_TRY(const auto scales, floats_of(call, ResizeForm::kRoi, axes.size()));
    for (std::size_t i = 0; i < axes.size(); ++i) axes[i].scale = scales[i];
  }
  if (!form.keeps_ratio()) return {};
  for (Axis& a : axes) {
    // Rounded to the nearest, half up; nothing is as large as nothing.
    const double size =
        below == 0 ? 0 : std::floor((2 * above * static_cast<double>(a.in) + below) / (2 * below));
    if (!(size < 0x1p62))
      return fail("{}: its sizes ask for {} elements along axis {}", call.node.op_type, size,
                  a.axis);
    a.out = static_cast<std::int64_t>(size);
    a.scale = static_cast<float>(above) / static_cast<float>(below);
  }
  return {};
}

Expected<void> set_scales(const Call& call, std::vector<Axis>& axes) {
  SUBBYTE_TRY(const auto scales, floats_of(call, ResizeForm::kScales, axes.size()));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    Axis& a = axes[i];
    a.scale = scales[i];
    const float part = a.roi_end - a.roi_start;
    const float size = std::floor(static_cast<float>(a.in) * part * a.scale);
    if (!(a.scale > 0) || !(size >= 0 && size < 0x1p31f))
      return fail("{}: size {} times its scale {} is {}; that is no size", call.node.op_type, a.in,
                  a.scale, size);
    a.out = static_cast<std::int64_t>(size);
  }
  return {};
}

Expected<std::vector<Axis>> axes_of(const Call& call, const ResizeForm& form) {
  const Dims& dims = call.input(0).dims;
  Dims listed(dims.size());
  std::iota(listed.begin(), listed.end(), 0);
  SUBBYTE_TRY(const auto chosen,
              checked_axes(call, call.node.ints("axes").value_or(listed), dims.size()));
  std::vector<Axis> axes;
  for (const std::size_t axis : chosen) axes.push_back({.axis = axis, .in = dims[axis]});
  if (form.crops()) {
    if (!call.has(ResizeForm::kRoi))
      return fail("{}: its roi is absent; it is required", call.node.op_type);
    SUBBYTE_TRY(const auto roi, floats_of(call, ResizeForm::kRoi, 2 * axes.size()));
    for (std::size_t i = 0; i < axes.size(); ++i) {
      axes[i].roi_start = roi[i];
      axes[i].roi_end = roi[axes.size() + i];
    }
  }
  SUBBYTE_CHECK_OK(form.has_sizes ? set_sizes(call, form, axes) : set_scales(call, axes));
  for (const Axis& a : axes)
    if (a.in == 0 && a.out != 0)
      return fail("{}: axis {} of shape {} is empty; nothing can be made larger of it",
                  call.node.op_type, a.axis, dims_text(dims));
  return axes;
}

// Values of shape [outer, in, inner] and, where the axis looks outside the input, the value for
// that.
struct Resampler {
  const std::vector<Sample>& samples;
  std::int64_t in, outer, inner;

  template <typename T, typename Combine>
  std::vector<T> apply(const std::vector<T>& values, const Combine& combine) const {
    std::vector<T> result;
    result.reserve(static_cast<std::size_t>(outer * inner) * samples.size());
    for (std::int64_t o = 0; o < outer; ++o)
      for (const Sample& sample : samples)
        for (std::int64_t i = 0; i < inner; ++i)
          result.push_back(combine(sample, [&](std::size_t k) {
            return values[static_cast<std::size_t>((o * in + sample.from[k]) * inner + i)];
          }));
    return result;
  }
};

}  // namespace

Result reference_resize(const Call& call) {
  const Tensor& x = call.input(0);
  const auto form =
      resize_form(call.node, call.has(ResizeForm::kScales), call.has(ResizeForm::kSizes));
  if (!form) return within(call.node.op_type, form.error());
  SUBBYTE_TRY(auto axes, axes_of(call, *form));
  // Nothing on the way is larger than both the input and the output then.
  std::stable_partition(axes.begin(), axes.end(), [](const Axis& a) { return a.out <= a.in; });
  Dims dims = x.dims;
  for (const Axis& a : axes) dims[a.axis] = a.out;
  SUBBYTE_TRY(auto bytes, allocate(call, x.dtype, dims));
  if (bytes.empty()) return one(make_tensor(x.dtype, std::move(dims), std::move(bytes)));
  const double extrapolation = form->extrapolation;
  const bool picks = form->mode == ResizeForm::Mode::nearest;
  // Which element each is, as long as elements are only picked; -1 for outside.
  std::vector<std::int64_t> origin(static_cast<std::size_t>(picks ? x.elements() : 0));
  std::iota(origin.begin(), origin.end(), 0);
  std::vector<double> values = picks ? std::vector<double>() : read_doubles(x);
  Dims now = x.dims;
  for (const Axis& a : axes) {
    if (a.in == a.out && a.scale == 1 && !form->crops()) continue;
    std::vector<Sample> samples;
    for (std::int64_t at = 0; at < a.out; ++at) samples.push_back(sample_at(*form, a, at));
    const Resampler resampler{samples, a.in, product(now, 0, a.axis),
                              product(now, a.axis + 1, now.size())};
    now[a.axis] = a.out;
    if (picks) {
      origin = resampler.apply(origin, [](const Sample& sample, const auto& at) -> std::int64_t {
        return sample.outside ? -1 : at(0);
      });
    } else {
      values = resampler.apply(values, [&](const Sample& sample, const auto& at) {
        double sum = 0;
        for (std::size_t k = 0; k < sample.from.size(); ++k) sum += sample.weights[k] * at(k);
        return sample.outside ? extrapolation : sum;
      });
    }
  }
  const bool known = with_elements(x.dtype, [&]<typename T>(T) {
    const auto stored = [](double value) {
      if constexpr (is_float_element<T>) {
        return narrow<T>(value);
      } else if constexpr (std::is_same_v<T, Bool>) {
        return Bool{static_cast<std::uint8_t>(value != 0 ? 1 : 0)};
      } else {
        return saturate<T>(value);
      }
    };
    for (std::size_t i = 0; i < bytes.size() / sizeof(T); ++i) {
      elements_of<T>(bytes)[i] = !picks            ? stored(values[i])
                                 : origin[i] == -1 ? stored(extrapolation)
                                                   : element<T>(x, origin[i]);
    }
  });
  if (!known) return wrong_dtype(call, x.dtype);
  return one(make_tensor(x.dtype, std::move(dims), std::move(bytes)));
}

Result reference_upsample(const Call& call) {
  return fail("{}: it left ONNX in opset 10; Resize is what it was", call.node.op_type);
}

}  // namespace subbyte::reference
