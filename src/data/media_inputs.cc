#include "data/media_inputs.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "data/picture_file.h"
#include "samples/number_tensor.h"

namespace subbyte {

namespace {

std::optional<std::int64_t> dim_of(const Model& model, ValueId input, std::size_t axis) {
  return model.exprs.value((*model.main().values[input].shape)[axis]);
}

// Pictures are not made larger.
constexpr std::int64_t kMostPixels = 1 << 25;

Expected<void> check_size(std::int64_t height, std::int64_t width, const char* what) {
  if (height >= 1 && width >= 1 && width <= kMostPixels / height) return {};
  return fail("{} {} x {} pixels (width x height); up to {} are made", what, width, height,
              kMostPixels);
}

// The picture in a frame of that size: as it is, or cut at its middle, or beside black.
Expected<Picture> fitted(const Picture& picture, std::int64_t height, std::int64_t width,
                         Recipe::Fit fit) {
  SUBBYTE_CHECK_OK(check_size(height, width, "the input takes"));
  if (fit == Recipe::Fit::stretch) return resized(picture, height, width);
  const double down = static_cast<double>(height) / static_cast<double>(picture.height);
  const double across = static_cast<double>(width) / static_cast<double>(picture.width);
  const double scale = fit == Recipe::Fit::crop ? std::max(down, across) : std::min(down, across);
  const auto size = [&](std::int64_t before) {
    return std::max<std::int64_t>(1, std::llround(scale * static_cast<double>(before)));
  };
  SUBBYTE_CHECK_OK(
      check_size(size(picture.height), size(picture.width), "to be cropped it would first become"));
  const Picture scaled = resized(picture, size(picture.height), size(picture.width));
  // What is cut is cut on both sides; a smaller picture stands at the upper left, as detectors and
  // readers of lines pad theirs.
  const std::int64_t top = std::max<std::int64_t>(0, (scaled.height - height) / 2);
  const std::int64_t left = std::max<std::int64_t>(0, (scaled.width - width) / 2);
  Picture frame(picture.channels, height, width);
  for (std::int64_t c = 0; c < frame.channels; ++c)
    for (std::int64_t y = 0; y < std::min(height, scaled.height); ++y)
      for (std::int64_t x = 0; x < std::min(width, scaled.width); ++x)
        frame.at(c, y, x) = scaled.at(c, top + y, left + x);
  return frame;
}

// In the order, and with as many channels, as the model takes them.
Picture coloured(const Picture& picture, Recipe::Colours colours, std::int64_t channels) {
  Picture result(channels, picture.height, picture.width);
  for (std::int64_t y = 0; y < picture.height; ++y) {
    for (std::int64_t x = 0; x < picture.width; ++x) {
      // ITU-R BT.601, as in JPEG.
      const float gray = 0.299f * picture.at(0, y, x) + 0.587f * picture.at(1, y, x) +
                         0.114f * picture.at(2, y, x);
      for (std::int64_t c = 0; c < channels; ++c) {
        const bool is_gray = colours == Recipe::Colours::gray || channels == 1;
        const std::int64_t from = colours == Recipe::Colours::bgr ? 2 - c : c;
        result.at(c, y, x) = is_gray ? gray : picture.at(from, y, x);
      }
    }
  }
  return result;
}

void rescale(Picture& picture, const Recipe& recipe, bool is_float_input) {
  const auto of = [](const std::vector<double>& numbers, std::int64_t channel, double otherwise) {
    if (numbers.empty()) return otherwise;
    return numbers[numbers.size() == 1 ? 0 : static_cast<std::size_t>(channel) % numbers.size()];
  };
  const double scale = 255 * recipe.scale.value_or(is_float_input ? 1.0 / 255 : 1.0);
  for (std::int64_t c = 0; c < picture.channels; ++c) {
    const double mean = of(recipe.mean, c, 0), deviation = of(recipe.deviation, c, 1);
    for (std::int64_t y = 0; y < picture.height; ++y)
      for (std::int64_t x = 0; x < picture.width; ++x)
        picture.at(c, y, x) = static_cast<float>(
            (scale * static_cast<double>(picture.at(c, y, x)) - mean) / deviation);
  }
}

Tensor as_input(DType dtype, std::vector<std::int64_t> dims, const std::vector<float>& numbers) {
  if (is_float(dtype)) return tensor_of(dtype, std::move(dims), numbers);
  const auto [low, high] =
      dtype == DType::int8 ? std::pair(-128.0f, 127.0f) : std::pair(0.0f, 255.0f);
  std::vector<std::int64_t> rounded;
  rounded.reserve(numbers.size());
  for (const float number : numbers) rounded.push_back(std::lrint(std::clamp(number, low, high)));
  return tensor_of(dtype, std::move(dims), rounded);
}

}  // namespace

Expected<ValueId> media_input(const Model& model, const Recipe& recipe) {
  const Graph& graph = model.main();
  std::string names;
  for (const ValueId v : graph.inputs)
    names += (names.empty() ? "" : ", ") + quoted(graph.values[v].name);
  if (graph.inputs.size() != 1) {
    return fail(
        "the model has {} inputs ({}); pictures and sounds are for models of one. Save all "
        "inputs as arrays of an .npz instead",
        graph.inputs.size(), names);
  }
  if (recipe.input && graph.values[graph.inputs.front()].name != *recipe.input)
    return fail("'input' is {}, and the model's input is {}", quoted(*recipe.input), names);
  return graph.inputs.front();
}

Expected<Tensor> picture_input(const Model& model, ValueId input, const Recipe& recipe,
                               const Picture& picture) {
  const Value& value = model.main().values[input];
  const std::size_t rank = value.shape ? value.shape->size() : 0;
  if (rank != 3 && rank != 4)
    return fail("input {} has {} axes; a picture needs three, or four with a batch",
                quoted(value.name), rank);
  const std::size_t first = rank - 3;
  const auto is_channels = [&](std::size_t axis) {
    const std::int64_t dim = dim_of(model, input, axis).value_or(0);
    return dim == 1 || dim == 3;
  };
  const bool last = recipe.channels_last.value_or(is_channels(rank - 1) && !is_channels(first));
  const std::size_t channel_axis = last ? rank - 1 : first, height_axis = last ? first : first + 1;
  const std::int64_t channels =
      dim_of(model, input, channel_axis).value_or(recipe.colours == Recipe::Colours::gray ? 1 : 3);
  if (channels != 1 && channels != 3)
    return fail(
        "input {} has {} channels; a picture has one or three. 'layout' says where they stand",
        quoted(value.name), channels);
  const auto side = [&](std::size_t axis, std::optional<std::int64_t> asked, std::int64_t own) {
    return asked ? *asked : dim_of(model, input, axis).value_or(own);
  };
  const std::int64_t height = side(height_axis, recipe.height, picture.height);
  const std::int64_t width = side(height_axis + 1, recipe.width, picture.width);
  SUBBYTE_TRY(const Picture frame, fitted(picture, height, width, recipe.fit));
  Picture ready = coloured(frame, recipe.colours, channels);
  rescale(ready, recipe, is_float(value.dtype));
  if (!std::ranges::all_of(ready.values, [](float x) { return std::isfinite(x); }))
    return fail("scaled by 'scale', 'mean' and 'std' its pixels are no finite numbers");
  std::vector<std::int64_t> dims(first, 1);
  const std::int64_t order[] = {last ? height : channels, last ? width : height,
                                last ? channels : width};
  dims.insert(dims.end(), std::begin(order), std::end(order));
  if (!last) return as_input(value.dtype, std::move(dims), ready.values);
  std::vector<float> numbers;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (std::int64_t c = 0; c < channels; ++c) numbers.push_back(ready.at(c, y, x));
  return as_input(value.dtype, std::move(dims), numbers);
}

Expected<Tensor> sound_input(const Model& model, ValueId input, const Recipe& recipe,
                             const Sound& sound) {
  const Value& value = model.main().values[input];
  const std::size_t rank = value.shape ? value.shape->size() : 0;
  if (!is_float(value.dtype) || rank < 1 || rank > 3) {
    return fail(
        "input {} is {} of {} axes; a sound needs floats of one, or with a batch and a channel "
        "of up to three. Save spectrograms as arrays of an .npz instead",
        quoted(value.name), dtype_name(value.dtype), rank);
  }
  SUBBYTE_TRY(std::vector<float> samples,
              resampled(sound, recipe.sample_rate.value_or(sound.rate)));
  const std::int64_t own = static_cast<std::int64_t>(samples.size());
  const std::int64_t count =
      recipe.samples ? *recipe.samples : dim_of(model, input, rank - 1).value_or(own);
  if (count < 1 || count > kMostSoundSamples)
    return fail("input {} takes {} samples; a sound of 1 to {} is made", quoted(value.name), count,
                kMostSoundSamples);
  samples.resize(static_cast<std::size_t>(count), 0.0f);
  std::vector<std::int64_t> dims(rank, 1);
  dims.back() = count;
  return tensor_of(value.dtype, std::move(dims), samples);
}

}  // namespace subbyte
