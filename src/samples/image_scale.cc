#include "samples/image_scale.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "graph/ops.h"
#include "reference/convolution.h"
#include "samples/lettered_page.h"
#include "samples/natural_picture.h"

namespace subbyte {

namespace {

// Of the images of ImageNet, by channel.
constexpr float kMeans[] = {0.485f, 0.456f, 0.406f}, kDeviations[] = {0.229f, 0.224f, 0.225f};

constexpr std::int64_t kPictures = 12, kSide = 64, kStep = 4;  // pixels from window to window
constexpr std::uint64_t kSeed = 11;
// Larger stems than these are not followed.
constexpr std::int64_t kMostChannels = 256, kWidestKernel = 11;
// A scale is believed whose distance is at most the first, and the next best scale's at least the
// second times it.
constexpr double kFarthest = 4, kClearly = 1.25;

struct Statistics {
  std::vector<float> means, variances;
};

std::optional<std::vector<float>> floats_of_size(const Tensor* tensor, std::int64_t size) {
  if (tensor == nullptr || tensor->dtype != DType::float32 || tensor->elements() != size)
    return std::nullopt;
  std::vector<float> numbers(static_cast<std::size_t>(size));
  read_floats(*tensor, 0, size, numbers.data());
  const bool finite = std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); });
  return finite ? std::optional(std::move(numbers)) : std::nullopt;
}

// What a batch normalisation expects of the convolution before it, without its bias.
std::optional<Statistics> expected(const Graph& graph, const Node& convolution, const Node& norm,
                                   std::int64_t channels) {
  if (norm.inputs.size() < 5) return std::nullopt;
  auto means = floats_of_size(graph.constant(norm.inputs[3]), channels);
  auto variances = floats_of_size(graph.constant(norm.inputs[4]), channels);
  if (!means || !variances) return std::nullopt;
  if (convolution.has_input(2)) {
    const auto bias = floats_of_size(graph.constant(convolution.inputs[2]), channels);
    if (!bias) return std::nullopt;
    for (std::size_t c = 0; c < bias->size(); ++c) (*means)[c] -= (*bias)[c];
  }
  // As they are before any training, they say nothing.
  const auto all = [](const std::vector<float>& numbers, float value) {
    return std::ranges::all_of(numbers, [&](float x) { return x == value; });
  };
  if (all(*means, 0) && all(*variances, 1)) return std::nullopt;
  return Statistics{std::move(*means), std::move(*variances)};
}

Tensor made_pictures(std::int64_t channels, ImageScale scale) {
  Random random(kSeed);
  std::vector<std::byte> bytes;
  for (std::int64_t i = 0; i < kPictures; ++i) {
    Picture picture = i % 2 == 0 ? lettered_page(channels, kSide, kSide, random)
                                 : natural_picture(channels, kSide, kSide, random);
    apply(scale, picture);
    const auto more = std::as_bytes(std::span(picture.values));
    bytes.insert(bytes.end(), more.begin(), more.end());
  }
  return make_tensor(DType::float32, {kPictures, channels, kSide, kSide}, std::move(bytes));
}

// The median over the channels of the symmetric Kullback-Leibler divergence of two normal
// distributions, twice: what the normalisation expects and what the pictures give.
double distance(const Statistics& expected, const reference::Convolution& c,
                const std::vector<double>& results) {
  constexpr double kTiny = 1e-9;
  const auto size = static_cast<std::size_t>(c.out_size());
  const auto channels = expected.means.size();
  std::vector<double> divergences;
  for (std::size_t channel = 0; channel < channels; ++channel) {
    double sum = 0, squares = 0;
    const double count = static_cast<double>(size) * static_cast<double>(c.batch);
    for (std::size_t picture = 0; picture < static_cast<std::size_t>(c.batch); ++picture) {
      for (std::size_t i = 0; i < size; ++i) {
        const double x = results[(picture * channels + channel) * size + i];
        sum += x;
        squares += x * x;
      }
    }
    const double mean = sum / count, variance = std::max(squares / count - mean * mean, 0.0);
    const double a = variance + kTiny, away = mean - double{expected.means[channel]};
    const double b = std::max(double{expected.variances[channel]}, 0.0) + kTiny;
    divergences.push_back(a / b + b / a - 2 + away * away * (1 / a + 1 / b));
  }
  const auto middle = divergences.begin() + static_cast<std::ptrdiff_t>(channels / 2);
  std::ranges::nth_element(divergences, middle);
  return *middle;
}

std::optional<ImageScale> scale_before(const Graph& graph, const Node& convolution,
                                       const Node& norm) {
  const Tensor* const weight = graph.constant(convolution.inputs[1]);
  if (weight == nullptr || weight->dtype != DType::float32 || weight->dims.size() != 4 ||
      weight->data.empty() || convolution.int_or("group", 1) != 1)
    return std::nullopt;
  const std::int64_t channels = weight->dims[1];
  if ((channels != 1 && channels != 3) || weight->dims[0] > kMostChannels ||
      std::max(weight->dims[2], weight->dims[3]) > kWidestKernel)
    return std::nullopt;
  const auto wanted = expected(graph, convolution, norm, weight->dims[0]);
  if (!wanted) return std::nullopt;
  const auto windows = [&](std::size_t axis) { return (kSide - weight->dims[axis]) / kStep + 1; };
  const reference::Convolution c{.batch = kPictures,
                                 .in_channels = channels,
                                 .out_channels = weight->dims[0],
                                 .in = {kSide, kSide},
                                 .kernel = {weight->dims[2], weight->dims[3]},
                                 .out = {windows(2), windows(3)},
                                 .strides = {kStep, kStep},
                                 .dilations = {1, 1},
                                 .pads_begin = {0, 0}};
  ImageScale best = ImageScale::unit;
  double nearest = HUGE_VAL, next = HUGE_VAL;
  for (const ImageScale scale : kImageScales) {
    const double found =
        distance(*wanted, c, reference::convolve(c, made_pictures(channels, scale), *weight));
    next = std::min(next, std::max(found, nearest));
    if (found >= nearest) continue;
    nearest = found;
    best = scale;
  }
  return nearest <= kFarthest && next >= kClearly * nearest ? std::optional(best) : std::nullopt;
}

}  // namespace

const char* text_of(ImageScale scale) {
  switch (scale) {
    case ImageScale::symmetric:
      return "[-1, 1]";
    case ImageScale::imagenet:
      return "ImageNet's, of mean 0 and deviation 1";
    case ImageScale::unit:
      return "[0, 1]";
  }
  return "";
}

void apply(ImageScale scale, Picture& picture) {
  for (std::int64_t c = 0; c < picture.channels; ++c) {
    const std::size_t colour = picture.channels == 3 ? static_cast<std::size_t>(c) : 1;
    for (std::int64_t y = 0; y < picture.height; ++y) {
      for (std::int64_t x = 0; x < picture.width; ++x) {
        float& value = picture.at(c, y, x);
        if (scale == ImageScale::symmetric) value = -1 + 2 * value;
        if (scale == ImageScale::imagenet) value = (value - kMeans[colour]) / kDeviations[colour];
      }
    }
  }
}

std::map<std::string, ImageScale> find_image_scales(const Model& model) {
  const Graph& graph = model.main();
  const Uses uses = find_uses(graph);
  std::map<std::string, ImageScale> scales;
  for (const ValueId input : graph.inputs) {
    for (const NodeId reader : uses.readers[input]) {
      const Node& convolution = graph.nodes[reader];
      if (convolution.op != Op::Conv || convolution.inputs.size() < 2 ||
          convolution.inputs[0] != input)
        continue;
      for (const NodeId after : uses.readers[convolution.outputs[0]]) {
        const Node& norm = graph.nodes[after];
        if (norm.op != Op::BatchNormalization || norm.inputs[0] != convolution.outputs[0]) continue;
        if (const auto scale = scale_before(graph, convolution, norm))
          scales.emplace(graph.values[input].name, *scale);
      }
    }
  }
  return scales;
}

}  // namespace subbyte
